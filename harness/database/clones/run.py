"""The databases of one run: made for it, gone with it, swept by the next one if it was killed.

While a run lives, one of its connections holds an advisory lock. The server gives the lock back
however the run ends, so whoever gets it knows that the run is over and may clear away what it left.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from harness.database.clones.backstage import Backstage, backstage
from harness.database.clones.names import COMMENT, family_of, lock_of, new_name, run_of
from harness.database.clones.templates import Template, Templates
from harness.database.server import ServerAddress
from harness.errors import HarnessError, NoDatabaseError

__all__ = ["KEPT", "Activity", "Run", "begun_run"]

KEPT = f"{COMMENT}kept "
"""What the comment on a failed test's database begins with."""
_OWN = f"{COMMENT}database of a run"
_DROP = "DROP DATABASE IF EXISTS %I WITH (FORCE)"
_LEAVING_SECONDS = 1.0
_POLL_SECONDS = 0.002
_OURS = """
SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') AS comment
FROM pg_database WHERE starts_with(datname, 'harness_')
"""
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
_ACTIVITY = "SELECT xact_commit, {sessions} FROM pg_stat_database WHERE datname = $1"
_SESSIONS_SINCE = 14


@dataclass(frozen=True, slots=True)
class Activity:
    """What the server has counted of a database; exact when nobody is connected to it."""

    commits: int
    """Of transactions that wrote nothing, too: opening a connection is one."""
    sessions: int
    """Connections so far; commits where the server, older than 14, does not count these."""


@dataclass(slots=True, eq=False)
class Run:
    """One run's databases on a server.

    Attributes:
        backstage: Where the server is talked to.
        database: Its own, that the application works on.
        template: What its database is a copy of, or the other way round; None if it has none.
        copied_by: How the server copies a database fastest; None until that is known.
    """

    backstage: Backstage
    database: str
    template: str | None = None
    copied_by: str | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def another(self, kind: str) -> str:
        """A name for a further database of this run, which ends with it.

        Args:
            kind: One letter.
        """
        return f"{self.database}_{kind}{next(self._numbers)}"

    def prepare(self, key: str | None, make: Callable[[], None]) -> None:
        """Bring the run's database to the state that the key stands for.

        Args:
            key: Of the template, None if nothing says what the state depends on.
            make: Does it where there is no template yet.

        Raises:
            NoDatabaseError: The server refused a statement.
        """
        if key is None or not self._is_untouched():
            # The application did something to it as it was imported: no other run's database has
            # that, and none must get it.
            make()
            return
        templates = Templates(self.backstage)
        with templates.locked(key):
            known = templates.find(key)
            if known is not None:
                self.template, self.copied_by = known.name, known.copied_by
                self.backstage.call(self._become_copy_of(known.name))
                return
            make()
            if self.is_left_alone():
                building = self.another("t")
                self.template = templates.keep(key, source=self.database, building=building).name

    def is_left_alone(self) -> bool:
        """Whether nobody is connected to the run's database, or will have left in a moment."""
        return self.backstage.call(self._is_left())

    def activity(self) -> Activity:
        """What has happened in its database so far."""
        return self.backstage.call(self._activity())

    async def _activity(self) -> Activity:
        has_sessions = await self.backstage.major_version() >= _SESSIONS_SINCE
        query = _ACTIVITY.format(sessions="sessions" if has_sessions else "xact_commit")
        (row,) = await self.backstage.fetch(query, self.database)
        return Activity(*row)

    def _is_untouched(self) -> bool:
        return self.is_left_alone() and self.activity().commits == 0

    async def _is_left(self) -> bool:
        # A client that has closed its connection is gone before its server process is.
        for _ in range(int(_LEAVING_SECONDS / _POLL_SECONDS)):
            if await self.backstage.value(_CONNECTED, self.database) == 0:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _become_copy_of(self, template: str) -> None:
        await self.backstage.execute(_DROP, self.database)
        await self.backstage.execute("CREATE DATABASE %I TEMPLATE %I", self.database, template)
        await self.sign()

    def pass_on(self) -> None:
        """Tell the next run how the server copies fastest."""
        if self.template is not None and self.copied_by is not None:
            with suppress(NoDatabaseError):  # another worker is telling the same
                Templates(self.backstage).note_use(Template(self.template, self.copied_by))

    async def sign(self) -> None:
        """Say on the run's database that it is ours, so that a later run may drop it."""
        await self.backstage.execute("COMMENT ON DATABASE %I IS %L", self.database, _OWN)


@contextmanager
def begun_run(address: ServerAddress, *, worker: str = "") -> Iterator[Run]:
    """Make a database for the block, and drop it and its copies afterwards.

    Args:
        address: Of the server.
        worker: A few letters that tell parallel runs apart in a list of databases.

    Raises:
        NoDatabaseError: The server refuses to make one.
        UnreachableTargetError: The server does not answer.
    """
    with backstage(address) as behind:
        run = Run(behind, new_name(worker))
        with behind.locked(lock_of(run_of(run.database) or "0")):
            behind.call(_sweep(behind))
            try:
                behind.call(behind.execute("CREATE DATABASE %I", run.database))
                behind.call(run.sign())
                yield run
            finally:
                with _best_effort():
                    behind.call(behind.finish())
                    run.pass_on()
                    behind.call(_drop_family(behind, run.database))


async def _drop_family(behind: Backstage, family: str) -> None:
    found = await behind.fetch(_OURS)
    mine = [row["datname"] for row in found if family_of(row["datname"]) == family]
    kept = {row["datname"] for row in found if row["comment"].startswith(KEPT)}
    # The longest names first: the run's own database tells that the others were ours.
    for name in sorted(set(mine) - kept, key=len, reverse=True):
        await behind.execute(_DROP, name)


async def _sweep(behind: Backstage) -> None:
    """Drop the databases of runs that were killed."""
    families = [row["datname"] for row in await behind.fetch(_OURS) if row["comment"] == _OWN]
    for family in families:
        lock = lock_of(run_of(family) or "0")
        if await behind.value("SELECT pg_try_advisory_xact_lock($1)", lock):
            # Let go of at once. Two that sweep at the same time drop IF EXISTS, and a run that is
            # over does not come back.
            with suppress(HarnessError):  # somebody else's, or in somebody's use: not our problem
                await _drop_family(behind, family)


@contextmanager
def _best_effort() -> Iterator[None]:
    """The server may be gone with everything on it; what happened before must stay visible."""
    try:
        yield
    except (OSError, HarnessError) as error:
        print(f"harness: a database could not be dropped: {error}", file=sys.stderr)  # noqa: T201 - a last word
