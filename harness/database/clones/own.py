"""The database of one test: made when the test first connects, gone or kept after it.

Rollback mode costs a test that touches no database nothing, and so does this: a marker, or a
setting for all tests, is no reason to make one.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from harness.database.clones.baseline import Baseline, Uses
from harness.database.clones.kept import Kept
from harness.database.clones.run import Run
from harness.database.clones.strategy import Strategy
from harness.database.clones.supply import Copy, Supply

__all__ = ["Clones", "Kind", "TestDatabase"]

Kind = Literal["clone", "empty"]


@dataclass(slots=True, eq=False)
class TestDatabase:
    """What one test has for itself; satisfies `harness.database.rollback.own.OwnDatabase`.

    Args:
        make: Makes it.
        prepare: Awaited before, where the first to connect can wait: starts the application, whose
            lifespan may write to the base line. None if there is nothing to wait for.
    """

    __test__ = False  # not a class of tests

    make: Callable[[], Copy]
    prepare: Callable[[], Awaitable[None]] | None = None
    copy: Copy | None = None
    is_kept: bool = False
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_made(self) -> bool:
        """Whether the test has connected."""
        return self.copy is not None

    async def before_it_is_made(self) -> None:
        """Bring the base line to where the test expects it."""
        if self.prepare is not None:
            await self.prepare()

    def name(self) -> str:
        """What it is called; the first to ask waits until it is made."""
        with self._making:
            if self.copy is None:
                self.copy = self.make()
            return self.copy.name


@dataclass(slots=True, eq=False)
class Clones:
    """Gives tests databases of their own.

    Args:
        run: As it was prepared.
        uses: What this process does with the run's own database.
    """

    run: Run
    uses: Uses
    _supply: Supply = field(init=False)

    def __post_init__(self) -> None:
        baseline = Baseline(self.run, self.uses)
        self._supply = Supply(self.run, baseline, Strategy(self.run))

    @contextmanager
    def one_test(
        self, kind: Kind, *, prepare: Callable[[], Awaitable[None]] | None = None
    ) -> Iterator[TestDatabase]:
        """A database for the block; made when somebody asks for its name."""
        make = self._supply.take if kind == "clone" else self._supply.empty
        database = TestDatabase(make, prepare)
        try:
            yield database
        finally:
            if database.copy is not None and not database.is_kept:
                self._supply.give_back(database.copy)

    def keep(self, database: TestDatabase, *, test: str) -> None:
        """Keep a test's database beyond the run, until a few newer ones are."""
        if database.copy is not None and not database.is_kept:
            Kept(self.run.backstage).keep(database.copy.name, test=test)
            database.is_kept = True
