"""Notices, at the end of a test, who has connected to the run's database past us.

For where it cannot or shall not be sealed. The server counts the sessions of a database and is
exact about it as soon as one is open; those that are not ours are strangers'. One query per test,
0.15 ms [measured]. A session that was open before the test is not noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.database.clones.run import Run

__all__ = ["Tripwire"]

_STRANGERS = """
SELECT application_name, coalesce(host(client_addr), 'a local socket') AS client
FROM pg_stat_activity
WHERE datname = $1 AND pid <> ALL ($2::int[]) AND backend_type = 'client backend'
ORDER BY backend_start DESC LIMIT $3
"""


@dataclass(slots=True, eq=False)
class Tripwire:
    """Counts strangers.

    Args:
        run: Whose database.
    """

    run: Run
    _known: int | None = None
    """Sessions that were not ours when the test began; None between tests."""

    @property
    def is_shut(self) -> bool:
        """Never."""
        return False

    def begin_test(self, connects: int) -> None:
        """Note who was there before, unless nothing has happened since the last test."""
        if self._known is None:
            self._known = self._count(connects)

    def end_test(self, connects: int, ours: Callable[[], set[int]]) -> str | None:
        """Who has connected in the test; those that are still there are named."""
        known, count = self._known, self._count(connects)
        if known is None:  # stepped aside in the middle of it
            return None
        # One of ours that is not counted yet will be: it must not look like a stranger then.
        self._known = max(known, count)
        return self._told(count - known, ours()) if count > known else None

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """Nobody is kept out."""
        yield

    @contextmanager
    def aside(self, connects: Callable[[], int]) -> Iterator[None]:
        """Count as known whoever connects inside the block."""
        before = self._count(connects())
        try:
            yield
        finally:
            if self._known is not None:
                self._known += self._count(connects()) - before

    def step_aside(self) -> None:
        """Count anew when the next test begins."""
        self._known = None

    def _count(self, connects: int) -> int:
        return self.run.activity().sessions - connects

    def _told(self, count: int, ours: set[int]) -> str:
        backstage, database = self.run.backstage, self.run.database
        rows = backstage.call(backstage.fetch(_STRANGERS, database, [*ours], count))
        names = [
            f"{row['application_name'] or 'without a name'} from {row['client']}" for row in rows
        ]
        if count > len(names):
            names.append(f"{count - len(names)} that ended meanwhile")
        return (
            f"{count} {'session' if count == 1 else 'sessions'} on {database!r} began in a test "
            f"that is rolled back, and not through it: {', '.join(names)}"
        )
