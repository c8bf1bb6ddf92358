"""Where the connections of each driver come from: few are physical, any number virtual.

Two drivers are two worlds, and neither sees what the other has not committed: a test has one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from harness.database.rollback.awaited_world import AwaitedWorld
from harness.database.rollback.blocking_world import BlockingWorld
from harness.database.rollback.scopes import Scopes
from harness.errors import SandboxConflictError, SecondDriverError, UnsupportedDriverError
from harness.loops import Residents

__all__ = ["World", "Worlds", "engine_name"]


class World(Protocol):
    """The connections of one driver to the database of the tests."""

    def connect(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> DBAPIConnection:
        """A virtual connection, in the driver's own arguments."""
        ...

    def end_test(self) -> bool:
        """Undo the test, then close its sessions.

        Returns:
            Whether virtual connections of this test must not be used in the next one.
        """
        ...

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts that were raised since this was last asked, caught or not."""
        ...

    def process_ids(self) -> set[int]:
        """The server's process ids of the physical connections."""
        ...

    def let_go(self) -> set[int]:
        """Use no present physical connection again: the server is about to end them.

        Returns:
            The server's process ids of them.
        """
        ...

    def close(self) -> None:
        """Let go of the physical connections that no event loop ends."""
        ...


@dataclass(slots=True, eq=False)
class Worlds:
    """The worlds of all drivers that have connected to one database.

    Args:
        database: What it is called.
        residents: Keep physical connections for as long as their loop lives.
        closers: Of the test's sessions, to be awaited when it has been undone.
        wait_seconds: How long a transaction waits for its turn.
        is_active: Whether a test is running.
        connecting: Entered while a physical connection is opened.
        scopes: Tell whose a transaction is.
    """

    database: str
    residents: Residents
    closers: list[Callable[[], Awaitable[None]]]
    wait_seconds: float
    is_active: Callable[[], bool]
    connecting: Callable[[], AbstractContextManager[None]]
    scopes: Scopes
    _known: dict[str, World] = field(default_factory=dict)
    _engine_of_test: str | None = None
    """Dialect, driver and mode of the connections that the current test has."""

    def of(self, dialect: Dialect) -> World:
        """The world of a dialect's driver.

        Raises:
            UnsupportedDriverError: It has no virtual connections.
        """
        known = self._known.get(engine_name(dialect))
        if known is not None:
            return known
        made = _world_of(dialect, self)
        if made is None:
            raise UnsupportedDriverError(
                f"a test connected to {self.database!r} through {dialect.driver}, which "
                "rollback isolation does not cover",
                remedy="use asyncpg, psycopg or psycopg2, or give the test a database of its own: "
                '@pytest.mark.database("clone")',
            )
        # Of threads that connect at once, all must get the same: each world has its own rows.
        return self._known.setdefault(engine_name(dialect), made)

    def refuse_second_driver(self, engine: str) -> None:
        """Two drivers are two connections, and neither sees what the other has not committed.

        Args:
            engine: What is connecting, as `engine_name` calls it.

        Raises:
            SecondDriverError: The test has connected through another.
        """
        if self._engine_of_test is None:
            self._engine_of_test = engine
        elif self._engine_of_test != engine:
            raise SecondDriverError(
                f"a test that works through {self._engine_of_test} connected to "
                f"{self.database!r} through {engine} as well: the two would not see each "
                "other's rows",
                remedy="use one of them in this test, or give it a database of its own: "
                '@pytest.mark.database("clone")',
            )

    def end_test(self) -> bool:
        """Undo the test.

        Returns:
            Whether virtual connections of this test must not be used in the next one.
        """
        outdated = [world.end_test() for world in self._known.values()]
        return any(outdated)

    def forget_driver(self) -> None:
        """The next test may use another."""
        self._engine_of_test = None

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts that were raised since this was last asked, caught or not."""
        return [found for world in self._known.values() for found in world.take_conflicts()]

    def process_ids(self) -> set[int]:
        """The server's process ids of all physical connections."""
        return set[int]().union(*(world.process_ids() for world in self._known.values()))

    def let_go(self) -> set[int]:
        """Use no present physical connection again; returns the server's process ids of them."""
        return set[int]().union(*(world.let_go() for world in self._known.values()))

    def close(self) -> None:
        """Let go of the physical connections that no event loop ends."""
        for world in self._known.values():
            world.close()


def engine_name(dialect: Dialect) -> str:
    """Dialect, driver and mode."""
    mode = ", async" if dialect.is_async else ""
    return f"{dialect.name}+{dialect.driver}{mode}"


def _world_of(dialect: Dialect, shared: Worlds) -> World | None:
    """None for a driver that has no virtual connections."""
    same: dict[str, Any] = {
        "wait_seconds": shared.wait_seconds,
        "is_active": shared.is_active,
        "connecting": shared.connecting,
        "scopes": shared.scopes,
    }
    blocking: Callable[..., World] = partial(BlockingWorld, **same)
    awaited: Callable[..., World] = partial(
        AwaitedWorld, residents=shared.residents, closers=shared.closers, **same
    )
    match dialect.driver, dialect.is_async:
        case "asyncpg", True:
            from harness.database.rollback.asyncpg_driver import (  # noqa: PLC0415 - if it is used
                AsyncpgLink,
                VirtualConnection,
            )

            return awaited(AsyncpgLink.connected, VirtualConnection)
        case "psycopg", True:
            from harness.database.rollback.psycopg_awaited import (  # noqa: PLC0415 - if it is used
                AsyncPsycopgLink,
                VirtualAsyncPsycopg,
            )

            return awaited(AsyncPsycopgLink.connected, VirtualAsyncPsycopg)
        case "psycopg", False:
            from harness.database.rollback.psycopg_blocking import (  # noqa: PLC0415 - if it is used
                PsycopgLink,
                VirtualPsycopg,
            )

            return blocking(PsycopgLink.connected, VirtualPsycopg)
        case "psycopg2", False:
            from harness.database.rollback.psycopg2_driver import (  # noqa: PLC0415 - if it is used
                Psycopg2Link,
                VirtualPsycopg2,
            )

            return blocking(Psycopg2Link.connected, VirtualPsycopg2)
        case _:
            return None
