"""What a test's copy is made of: tables and rows as every test finds them.

The template has them as long as nothing else was written. What the application's lifespan and
fixtures wider than a test write is in the run's own database only; then that is copied once, to a
snapshot that nobody is connected to, and the copies are made of the snapshot.
"""

from __future__ import annotations

import warnings
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from harness.database.clones.run import Run
from harness.errors import EndedConnectionWarning, NoDatabaseError

__all__ = ["Baseline", "Uses"]

_ATTEMPTS = 3
_OTHERS = """
SELECT pid, application_name, state, coalesce(client_addr::text, 'a local socket') AS client
FROM pg_stat_activity
WHERE datname = $1 AND (pid <> ALL ($2::int[]) OR backend_xid IS NOT NULL)
"""
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


class Uses(Protocol):
    """What the process itself does with the run's own database."""

    @property
    def real_uses(self) -> int:
        """How many times a connection to it was taken that writes for real."""
        ...

    @property
    def connects(self) -> int:
        """How many connections to it were opened, for tests or outside of them."""
        ...

    def let_go(self) -> AbstractSet[int]:
        """Use none of the present connections again.

        Returns:
            The server's process ids of those that nobody is using.
        """
        ...


@dataclass(slots=True, eq=False)
class Baseline:
    """Knows a database that equals the run's own and that can be copied.

    Args:
        run: Whose database, as it was prepared.
        uses: Tells what this process did to it since. Others (a program that a fixture starts, a
            driver without SQLAlchemy) show in the server's counts: of sessions, and, once there
            was one of a stranger, of commits. Rollback mode alone changes neither: its connections
            are our own, and undo.
    """

    run: Run
    uses: Uses
    _source: str | None = field(init=False)
    _sessions_before: int = field(init=False)
    _mark: tuple[int, int, int] = field(init=False)
    _snapshot: str | None = None

    def __post_init__(self) -> None:
        self._source = self.run.template
        self._sessions_before = self.run.activity().sessions - self.uses.connects
        self._mark = self._now()

    def source(self) -> str:
        """The database to copy for a test that begins to use its own.

        Raises:
            NoDatabaseError: The run's database cannot be copied.
        """
        if self._source is None or self._mark != self._now():
            self._source = self._taken()
        return self._source

    def _now(self) -> tuple[int, int, int]:
        seen = self.run.activity()
        # Our own latest may not be counted yet.
        strangers = max(0, seen.sessions - self.uses.connects - self._sessions_before)
        return self.uses.real_uses, strangers, seen.commits if strangers else 0

    def _taken(self) -> str:
        """Copy the run's database, which nobody may be connected to at that moment."""
        backstage, name = self.run.backstage, self.run.another("s")
        idle = self.uses.let_go()
        self._warn_of_others(idle)
        for attempt in range(1, _ATTEMPTS + 1):
            backstage.call(backstage.fetch(_END, self.run.database))
            self.run.is_left_alone()
            self._mark = self._now()
            try:
                backstage.call(self._copy(name))
                break
            except NoDatabaseError:
                if attempt == _ATTEMPTS or self.run.is_left_alone():
                    raise  # else somebody has connected anew
        outdated, self._snapshot = self._snapshot, name
        if outdated is not None:
            backstage.start(backstage.execute("DROP DATABASE IF EXISTS %I", outdated))
        return name

    async def _copy(self, name: str) -> None:
        execute = self.run.backstage.execute
        await execute("CREATE DATABASE %I TEMPLATE %I", name, self.run.database)
        await execute("ALTER DATABASE %I ALLOW_CONNECTIONS false", name)

    def _warn_of_others(self, idle: AbstractSet[int]) -> None:
        backstage = self.run.backstage
        others = backstage.call(backstage.fetch(_OTHERS, self.run.database, [*idle]))
        for row in others:
            warnings.warn(
                f"the connection of {row['application_name'] or 'a program without a name'!r} from "
                f"{row['client']} to {self.run.database!r} ({row['state']}) is ended: rows were "
                "written outside of tests, and a test in clone mode gets a copy of them, which "
                "PostgreSQL makes of a database that nobody is connected to",
                EndedConnectionWarning,
                stacklevel=2,
            )
