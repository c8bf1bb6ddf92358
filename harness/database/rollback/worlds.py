"""Where the connections of one driver come from: one is physical, any number virtual.

A driver that is awaited has a physical connection for each event loop, because connections belong
to loops; one that blocks has a single one for all threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from harness.database.rollback.awaited import AwaitedConnection
from harness.database.rollback.blocking import BlockingConnection
from harness.database.rollback.scopes import Scopes
from harness.errors import SandboxConflictError
from harness.loops import Residents

__all__ = ["AwaitedWorld", "BlockingWorld", "World", "process_id", "world_of"]


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
class AwaitedWorld:
    """The connections of an asyncio driver.

    Args:
        open_link: Connects as the application would have, but physically.
        virtual: Makes a connection of the driver's kind; it asks for the physical one each time.
        residents: Keep physical connections for as long as their loop lives.
        closers: Of the test's sessions, to be awaited when it has been undone.
        wait_seconds: How long a transaction waits for its turn.
        is_active: Whether a test is running.
        connecting: Entered while a physical connection is opened.
        scopes: Tell whose a transaction is.
    """

    open_link: Callable[..., Awaitable[Any]]
    virtual: Callable[[Callable[[], AwaitedConnection[Any]]], Any]
    residents: Residents
    closers: list[Callable[[], Awaitable[None]]]
    wait_seconds: float
    is_active: Callable[[], bool]
    connecting: Callable[[], AbstractContextManager[None]]
    scopes: Scopes
    _connecting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(
        default_factory=WeakKeyDictionary
    )
    _physical: WeakKeyDictionary[asyncio.AbstractEventLoop, AwaitedConnection[Any]] = field(
        default_factory=WeakKeyDictionary
    )

    def connect(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> DBAPIConnection:
        """SQLAlchemy's adapter over a virtual connection."""
        return dialect.connect(*arguments, **{**options, "async_creator_fn": self._create})

    async def _create(self, *arguments: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        async with self._connecting.setdefault(loop, asyncio.Lock()):
            known = self._physical.get(loop)
            if known is None or known.link.is_closed:
                self._refuse_second_loop()
                self._physical[loop] = await self.residents.enter(
                    self._connected(lambda: self.open_link(*arguments, **options))
                )
        return self.virtual(self._current)

    def _refuse_second_loop(self) -> None:
        for loop, physical in self._physical.items():
            if not loop.is_closed() and physical.outer.has_started:
                raise SandboxConflictError(
                    "a second event loop connected to the database in the same test: the two "
                    "would not see each other's rows",
                    remedy="use the async client in async tests, and a loop scope of 'session', "
                    'or give the test a database of its own: @pytest.mark.database("clone")',
                )

    def _current(self) -> AwaitedConnection[Any]:
        if not self.is_active():
            raise _used_after_test()
        physical = self._physical.get(asyncio.get_running_loop())
        if physical is None:
            raise SandboxConflictError(
                "a session is used on another event loop than the one it was opened on",
                remedy="set asyncio_default_fixture_loop_scope and "
                'asyncio_default_test_loop_scope to "session"',
            )
        if not physical.outer.has_started:
            self._refuse_second_loop()
        return physical

    @asynccontextmanager
    async def _connected(
        self, open_link: Callable[[], Awaitable[Any]]
    ) -> AsyncIterator[AwaitedConnection[Any]]:
        loop = asyncio.get_running_loop()
        with self.connecting():
            link = await open_link()
        physical = AwaitedConnection(link, self.wait_seconds, self.scopes)
        await physical.open()
        try:
            yield physical
        finally:
            if self._physical.get(loop) is physical:
                del self._physical[loop]
                await self._undo(physical)
            await physical.link.close()

    def end_test(self) -> bool:
        """Undo the test on each loop that is still there."""
        # The used one first: sessions are closed on the loop that they were used on.
        known = sorted(self._physical.items(), key=lambda item: not item[1].outer.has_started)
        outdated = [self._finish(loop, physical) for loop, physical in known]
        return any(outdated)

    def _finish(self, loop: asyncio.AbstractEventLoop, physical: AwaitedConnection[Any]) -> bool:
        is_unused = not (physical.outer.has_started or self.closers)
        if is_unused or loop.is_closed():  # then it was undone as the loop ended
            return False
        is_outdated = physical.outer.is_outdated or physical.link.is_closed
        if loop.is_running():
            undoing = asyncio.run_coroutine_threadsafe(self._undo(physical), loop)
            undoing.result(timeout=10)
        else:
            loop.run_until_complete(self._undo(physical))
        return is_outdated

    async def _undo(self, physical: AwaitedConnection[Any]) -> None:
        await physical.end_test()
        while self.closers:
            await self.closers.pop()()

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts of the connections of all loops."""
        outers = [physical.outer for physical in self._physical.values()]
        return [conflict for outer in outers for conflict in outer.take_conflicts()]

    def process_ids(self) -> set[int]:
        """One for each loop."""
        links = [known.link for known in self._physical.values()]
        return {process_id(link.connection) for link in links if not link.is_closed}

    def let_go(self) -> set[int]:
        """Forget the physical connections; what is left of them ends with their loops."""
        left = self.process_ids()
        self._physical.clear()
        return left

    def close(self) -> None:
        """Nothing: the connections end with their loops."""


@dataclass(slots=True, eq=False)
class BlockingWorld:
    """The connections of a driver that blocks.

    Args:
        open_link: Connects as the application would have, but physically; gets the dialect, too.
        virtual: Makes a connection of the driver's kind; it asks for the physical one each time.
        wait_seconds: How long a transaction waits for its turn.
        is_active: Whether a test is running.
        connecting: Entered while the physical connection is opened.
        scopes: Tell whose a transaction is.
    """

    open_link: Callable[[Dialect, Sequence[Any], Mapping[str, Any]], Any]
    virtual: Callable[[Callable[[], BlockingConnection[Any]]], Any]
    wait_seconds: float
    is_active: Callable[[], bool]
    connecting: Callable[[], AbstractContextManager[None]]
    scopes: Scopes
    _connecting: threading.Lock = field(default_factory=threading.Lock)
    _physical: BlockingConnection[Any] | None = None

    def connect(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> DBAPIConnection:
        """A virtual connection."""
        with self._connecting:
            if self._physical is None or self._physical.link.is_closed:
                with self.connecting():
                    link = self.open_link(dialect, arguments, options)
                self._physical = BlockingConnection(link, self.wait_seconds, self.scopes)
                self._physical.open()
        connection: DBAPIConnection = self.virtual(self._current)
        return connection

    def _current(self) -> BlockingConnection[Any]:
        if not self.is_active() or self._physical is None:
            raise _used_after_test()
        return self._physical

    def end_test(self) -> bool:
        """Undo the test."""
        if self._physical is None:
            return False
        is_outdated = self._physical.outer.is_outdated or self._physical.link.is_closed
        self._physical.end_test()
        return is_outdated

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts of the one connection."""
        return self._physical.outer.take_conflicts() if self._physical is not None else []

    def process_ids(self) -> set[int]:
        """At most one."""
        known = self._physical
        if known is None or known.link.is_closed:
            return set()
        return {process_id(known.link.connection)}

    def let_go(self) -> set[int]:
        """End the physical connection: there is no loop that would."""
        left = self.process_ids()
        self.close()
        return left

    def close(self) -> None:
        """End the physical connection."""
        if self._physical is not None:
            self._physical.link.close()
            self._physical = None


def world_of(
    dialect: Dialect,
    *,
    residents: Residents,
    closers: list[Callable[[], Awaitable[None]]],
    wait_seconds: float,
    is_active: Callable[[], bool],
    connecting: Callable[[], AbstractContextManager[None]],
    scopes: Scopes,
) -> World | None:
    """The world of a dialect's driver, or None for a driver that has no virtual connections."""
    awaited = partial(
        AwaitedWorld,
        residents=residents,
        closers=closers,
        wait_seconds=wait_seconds,
        is_active=is_active,
        connecting=connecting,
        scopes=scopes,
    )
    blocking = partial(
        BlockingWorld,
        wait_seconds=wait_seconds,
        is_active=is_active,
        connecting=connecting,
        scopes=scopes,
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


def process_id(connection: Any) -> int:
    """The server's process behind a driver's own connection."""
    if hasattr(connection, "get_server_pid"):  # asyncpg
        return int(connection.get_server_pid())
    return int(connection.info.backend_pid)


def _used_after_test() -> SandboxConflictError:
    return SandboxConflictError(
        "a session of a test is used after the test",
        remedy="close sessions in the test or fixture that opened them",
    )
