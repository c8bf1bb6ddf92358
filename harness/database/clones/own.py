"""The databases of tests on a server: made when a test first connects, gone or kept after it.

Rollback mode costs a test that touches no database nothing, and so does this: a marker, or a
setting for all tests, is no reason to make one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from harness.database.clones.baseline import Baseline, Uses
from harness.database.clones.kept import Kept
from harness.database.clones.run import Run
from harness.database.clones.strategy import Strategy
from harness.database.clones.supply import Supply
from harness.database.copies import Kind, TestDatabase

__all__ = ["Clones"]


@dataclass(slots=True, eq=False)
class Clones:
    """Gives tests databases of their own.

    Args:
        run: As it was prepared.
        uses: What this process does with the run's own database.
    """

    run: Run
    uses: Uses
    has_rollback_mode: ClassVar[bool] = True
    """A database for each test is not the only way."""
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

    def keep(self, database: TestDatabase, *, test: str) -> str:
        """Keep a test's database beyond the run, until a few newer ones are.

        Returns:
            Its name; nothing for a test that has not connected.
        """
        if database.copy is None:
            return ""
        if not database.is_kept:
            Kept(self.run.backstage).keep(database.copy.name, test=test)
            database.is_kept = True
        return database.copy.name
