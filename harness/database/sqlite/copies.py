"""Gives tests copies of the run's file, and takes them away again.

None is made ahead and none is given to a second test, as on a server: a copy of 50 kB takes
0.05 ms, one of a megabyte 0.5 ms, and to remove it less [measured].
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar

from harness.database.copies import Copy, Kind, TestDatabase
from harness.database.sqlite.baseline import Baseline
from harness.database.sqlite.kept import keep_file
from harness.errors import NoDatabaseError

__all__ = ["SqliteCopies"]

_BESIDE = ("", "-journal", "-wal", "-shm")
"""What SQLite names the files of one database."""


@dataclass(slots=True, eq=False)
class SqliteCopies:
    """The files that tests have for themselves.

    Args:
        file: The run's own.
    """

    file: Path
    has_rollback_mode: ClassVar[bool] = False
    """A test that is to be rolled back has a copy, too."""
    baseline: Baseline = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.baseline = Baseline(self.file)

    @contextmanager
    def one_test(
        self,
        kind: Kind,
        *,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> Iterator[TestDatabase]:
        """A file for the block; made when somebody asks for its name."""
        database = TestDatabase(partial(self._made, kind), prepare)
        try:
            yield database
        finally:
            if database.copy is not None:
                _remove(Path(database.copy.name))

    def keep(self, database: TestDatabase, *, test: str) -> str:
        """Keep a test's file as it is now, beyond the run, until a few newer ones are kept.

        Returns:
            Where; nothing for a test that has not connected.

        Raises:
            NoDatabaseError: It cannot be copied.
        """
        if database.copy is None:
            return ""
        try:
            return str(keep_file(Path(database.copy.name), test=test))
        except (sqlite3.Error, OSError) as error:
            raise NoDatabaseError(f"the file of {test} cannot be kept: {error}") from error

    def close(self) -> None:
        """Let go of the run's file."""
        self.baseline.close()

    def _made(self, kind: Kind) -> Copy:
        file = self.file.with_name(f"{self.file.stem}_{kind[0]}{next(self._numbers)}.db")
        if kind == "empty":
            return Copy(str(file), None)  # SQLite makes it when something is written
        self.baseline.copy_to(file)
        return Copy(str(file), str(self.file))


def _remove(file: Path) -> None:
    for suffix in _BESIDE:
        file.with_name(file.name + suffix).unlink(missing_ok=True)
