"""How a server copies a database fastest: as files, or as changes through its log.

The manual leaves it at "small" and "large". Which is faster depends on the disk and on whether the
server syncs: files in memory without syncing take half the time of the log, on a synced disk seven
times as much [measured]. So the first copies, which are needed anyway, are made in turns and timed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import cycle

from harness.database.clones.run import Run

__all__ = ["Strategy"]

_CHOICES = ("file_copy", "wal_log")
_TRIALS = 2
"""Of each; the faster of a choice counts: the slower was disturbed."""
_CHOOSABLE_SINCE = 15


@dataclass(slots=True, eq=False)
class Strategy:
    """Copies databases of one server, and finds out how.

    Args:
        run: Knows what an earlier run has found out, and tells the next one.
    """

    run: Run
    _seconds: dict[str, list[float]] = field(
        default_factory=lambda: {choice: [] for choice in _CHOICES}
    )
    _trials: cycle[str] = field(default_factory=lambda: cycle(_CHOICES))
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def copy(self, name: str, source: str) -> None:
        """Make a database as a copy of one that nobody is connected to."""
        backstage, statement = self.run.backstage, "CREATE DATABASE %I TEMPLATE %I"
        if await backstage.major_version() < _CHOOSABLE_SINCE:
            await backstage.execute(statement, name, source)
            return
        statement += " STRATEGY %I"
        if self.run.copied_by is None:
            async with self._alone:  # two at once would measure each other
                choice, began = next(self._trials), time.perf_counter()
                await backstage.execute(statement, name, source, choice)
                self._note(choice, time.perf_counter() - began)
        else:
            await backstage.execute(statement, name, source, self.run.copied_by)

    def _note(self, choice: str, seconds: float) -> None:
        self._seconds[choice].append(seconds)
        if all(len(times) >= _TRIALS for times in self._seconds.values()):
            self.run.copied_by = min(_CHOICES, key=lambda choice: min(self._seconds[choice]))
