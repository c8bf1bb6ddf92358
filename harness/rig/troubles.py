"""The troubles that the rig can make, by name: the one place where they are registered.

Each is a context manager on the `Scene`: what it does happens as the block begins, is over when the
block has ended, and what it yields is told to whoever asked. What is done, and how it is given
back, is in `harness.rig.trouble`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import URL

from harness.database.admin import MAINTENANCE_DATABASE
from harness.database.server import PostgresServer
from harness.errors import MisuseError
from harness.rig.trouble.backends import kill_backends, killing_backends
from harness.rig.trouble.connections import slots_taken
from harness.rig.trouble.locks import block_tables
from harness.rig.trouble.network import Fate, Network
from harness.rig.trouble.proxy import Proxy
from harness.rig.trouble.refusal import CannotTroubleError
from harness.rig.trouble.restart import Shutdown, restart, stopped

__all__ = ["TROUBLES", "Scene", "trouble_named"]

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What troubles are made for."""

    url: URL
    """The application's database, at the server itself."""
    server: PostgresServer
    proxy: Proxy | None
    """Between application and server, where the application was served through one."""
    spare: frozenset[int]
    """Backends of the rig itself."""

    def required_proxy(self) -> Proxy:
        """What stands between application and server.

        Raises:
            CannotTroubleError: Nothing does.
        """
        if self.proxy is None:
            raise CannotTroubleError(
                "the application is connected to its server directly, so its network cannot be cut",
                remedy="serve it through the proxy",
            )
        return self.proxy


Trouble = Callable[..., AbstractContextManager[Facts]]


@contextmanager
def _backends_killed(scene: Scene, *, share: float = 1.0) -> Iterator[Facts]:
    yield asdict(kill_backends(scene.url, share=share, spare=scene.spare))


@contextmanager
def _backends_killed_again_and_again(
    scene: Scene, *, every_seconds: float = 0.5, share: float = 1.0
) -> Iterator[Facts]:
    with killing_backends(
        scene.url, every_seconds=every_seconds, share=share, spare=scene.spare
    ) as kills:
        facts: dict[str, Any] = {"kills": []}
        yield facts
    facts["kills"] = [asdict(kill) for kill in kills]


@contextmanager
def _restarted(scene: Scene, *, how: str = "fast", down_seconds: float = 0.0) -> Iterator[Facts]:
    yield asdict(restart(scene.server, how=Shutdown(how), down_seconds=down_seconds))


@contextmanager
def _stopped(scene: Scene, *, how: str = "fast") -> Iterator[Facts]:
    with stopped(scene.server, how=Shutdown(how)):
        yield {}


@contextmanager
def _network(  # one parameter per property of a network
    scene: Scene,
    *,
    delay_seconds: float = 0.0,
    jitter_seconds: float = 0.0,
    bytes_per_second: float | None = None,
    existing: str = "open",
    new: str = "open",
) -> Iterator[Facts]:
    network = Network(
        delay_seconds=delay_seconds,
        jitter_seconds=jitter_seconds,
        bytes_per_second=bytes_per_second,
        existing=Fate(existing),
        new=Fate(new),
    )
    proxy = scene.required_proxy()
    with proxy.being(network):
        facts = asdict(proxy.counts())
        yield facts
        facts.update(asdict(proxy.counts()))


@contextmanager
def _slots_taken(scene: Scene, *, leave: int = 0, with_theirs: bool = False) -> Iterator[Facts]:
    # In the maintenance database: the application's own connections are counted by database.
    elsewhere = scene.url.set(database=MAINTENANCE_DATABASE)
    with ExitStack() as stack:
        if with_theirs:
            # Its pool would have them back before we do, if it were not kept waiting meanwhile.
            apart = Network(existing=Fate.RESET, new=Fate.SILENT)
            with scene.required_proxy().being(apart):
                taken = stack.enter_context(slots_taken(elsewhere, leave=leave))
        else:
            taken = stack.enter_context(slots_taken(elsewhere, leave=leave))
        yield {"taken": taken.count}


@contextmanager
def _tables_locked(scene: Scene, *, seconds: float = 2.0) -> Iterator[Facts]:
    yield asdict(block_tables(scene.url, seconds=seconds))


TROUBLES: Mapping[str, Trouble] = {
    "backends-killed": _backends_killed,
    "backends-killed-repeatedly": _backends_killed_again_and_again,
    "server-restarted": _restarted,
    "server-stopped": _stopped,
    "network": _network,
    "connections-taken": _slots_taken,
    "tables-locked": _tables_locked,
}


def trouble_named(name: str) -> Trouble:
    """A trouble.

    Raises:
        MisuseError: There is none of that name.
    """
    if name not in TROUBLES:
        raise MisuseError(f"there is no trouble {name!r}", remedy=f"one of: {', '.join(TROUBLES)}")
    return TROUBLES[name]
