"""Copies for tests: made ahead while tests run, thrown away behind them.

Making a copy takes 10 to 30 ms and dropping one 5 to 10 [measured], which is more than most tests
take. From the first test that wants one on, the next are in the making. A test that wrote nothing
gives its copy back (see `traces`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from harness.database.clones.baseline import Baseline
from harness.database.clones.run import Run
from harness.database.clones.strategy import Strategy
from harness.database.clones.traces import Traces
from harness.database.copies import Copy

__all__ = ["Supply"]

AHEAD = 2
MOST_DEAD = 6
"""Copies that wait to be dropped: each takes some 8 MB of the server's disk."""
_DROP = "DROP DATABASE IF EXISTS %I WITH (FORCE)"


@dataclass(slots=True, eq=False)
class Supply:
    """Gives out copies of the base line.

    Args:
        run: Whose databases they are.
        baseline: Tells what to copy.
        strategy: Tells how.
    """

    run: Run
    baseline: Baseline
    strategy: Strategy
    _traces: Traces = field(init=False)
    _ahead: deque[tuple[str, Future[Copy]]] = field(default_factory=deque)
    _leaving: deque[Future[None]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._traces = Traces(self.run.backstage)

    def take(self) -> Copy:
        """A copy of the base line as it is now.

        Raises:
            NoDatabaseError: The server refuses to make one.
        """
        source = self.baseline.source()
        while self._ahead and self._ahead[0][0] != source:
            self._throw_away(self._ahead.popleft()[1])
        if not self._ahead:
            self._make_one(source)
        made = self._ahead.popleft()[1]
        copy = made.result()
        while len(self._ahead) < AHEAD:
            self._make_one(source)
        return copy

    def empty(self) -> Copy:
        """A database without tables, types or extensions of anybody's."""
        name = self.run.another("e")
        backstage = self.run.backstage
        backstage.call(backstage.execute("CREATE DATABASE %I TEMPLATE template0", name))
        return Copy(name, None)

    def give_back(self, copy: Copy) -> Future[None]:
        """A test is through with its copy; whatever is connected to it is cut off.

        Returns:
            Done when the copy is dropped, or ready for another test.
        """
        leaving = self.run.backstage.start(self._leave(copy))
        self._leaving.append(leaving)
        while len(self._leaving) > MOST_DEAD:
            # One that cannot be dropped is no fault of this test: the end of the run says so.
            wait([self._leaving.popleft()])
        return leaving

    def _make_one(self, source: str) -> None:
        name = self.run.another("c")
        self._ahead.append((source, self.run.backstage.start(self._made(name, source))))

    async def _made(self, name: str, source: str) -> Copy:
        await self.strategy.copy(name, source)
        await self._traces.learn(name, source)
        return Copy(name, source)

    async def _leave(self, copy: Copy) -> None:
        is_wanted = any(source == copy.source for source, _ in self._ahead)
        if is_wanted and len(self._ahead) <= AHEAD and await self._traces.are_none(copy):
            clean: Future[Copy] = Future()
            clean.set_result(copy)
            self._ahead.appendleft((copy.source or "", clean))
            return
        await self.run.backstage.execute(_DROP, copy.name)

    def _throw_away(self, made: Future[Copy]) -> None:
        async def drop() -> None:
            copy = await asyncio.wrap_future(made)
            await self.run.backstage.execute(_DROP, copy.name)

        self._leaving.append(self.run.backstage.start(drop()))
