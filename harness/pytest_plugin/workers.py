"""One server of ours for all workers of pytest-xdist, instead of one each.

The controller starts it before the first worker and hands every worker a lease; each makes a
database of its own on it. With a server of the user's own there is nothing to share, and on SQLite
there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from harness.config import load_project
from harness.database.lease import Lease
from harness.database.search import URL_MARK
from harness.errors import HarnessError
from harness.provision import server_for

if TYPE_CHECKING:
    from harness.database.owned import OwnedServer

__all__ = ["joined_server"]

_INPUT = "harness_lease"
_SERVER = pytest.StashKey["OwnedServer"]()


class WorkerNode(Protocol):
    """The part of xdist's controller of a worker that is used here."""

    config: pytest.Config
    workerinput: dict[str, object]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerNode) -> None:
    """Hand a worker the lease before it starts."""
    stash = node.config.stash
    if _SERVER not in stash:
        server = _started_server(node.config)
        if server is None:
            return
        stash[_SERVER] = server
    node.workerinput[_INPUT] = stash[_SERVER].lease.to_json()


@pytest.hookimpl
def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the server: the last worker to end stops it."""
    server = config.stash.get(_SERVER, None)
    if server is not None:
        del config.stash[_SERVER]
        server.close()


def joined_server(config: pytest.Config) -> OwnedServer | None:
    """The server that the controller started; None outside of a worker, or if it started none.

    Raises:
        ServerStartError: If the server has ended.
    """
    lease = getattr(config, "workerinput", {}).get(_INPUT)
    if lease is None:
        return None
    from harness.database.owned import OwnedServer  # noqa: PLC0415 - needs the extra

    return OwnedServer.join(Lease.from_json(lease))


def _started_server(config: pytest.Config) -> OwnedServer | None:
    try:
        project = load_project(config.rootpath)
        own = URL_MARK in project.configuration.postgres
        server = None if own else server_for(project)
    except HarnessError:
        return None  # every worker meets the same, and says so in its tests' reports, or needs none
    if server is None:
        return None
    from harness.database.owned import OwnedServer  # noqa: PLC0415 - needs the extra

    return server if isinstance(server, OwnedServer) else None
