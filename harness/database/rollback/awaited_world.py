"""The connections of a driver that is awaited: a physical one for each event loop.

Connections belong to loops, and tests may have one each. Its twin for drivers that block is in
`blocking_world`; what both are to the sandbox is in `worlds`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from harness.database.rollback import conflicts
from harness.database.rollback.awaited import AwaitedConnection
from harness.database.rollback.backends import process_id
from harness.database.rollback.scopes import Scopes
from harness.errors import SandboxConflictError
from harness.loops import Residents

__all__ = ["AwaitedWorld"]


@dataclass(slots=True, eq=False)
class AwaitedWorld:
    """The connections of an asyncio driver; satisfies `harness.database.rollback.worlds.World`.

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
            raise conflicts.used_after_test()
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
