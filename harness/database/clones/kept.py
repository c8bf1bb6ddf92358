"""The databases of failed tests, kept to be looked into: the newest few of a server.

They have a comment with the moment and the test, and outlive their run. How many there are is
looked up when one more is kept, so that any number of runs leaves no more than a few.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.database.clones.backstage import Backstage
from harness.database.clones.run import KEPT
from harness.database.copies import MOST_KEPT
from harness.errors import NoDatabaseError

__all__ = ["Kept"]

_OLDER = """
SELECT datname FROM pg_database
WHERE starts_with(datname, 'harness_') AND starts_with(shobj_description(oid, 'pg_database'), $1)
ORDER BY shobj_description(oid, 'pg_database') DESC OFFSET $2
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """Keeps databases of one server."""

    backstage: Backstage

    def keep(self, database: str, *, test: str) -> None:
        """Keep a database of this run beyond it, and drop the oldest of those kept."""
        self.backstage.call(self._keep(database, test))

    async def _keep(self, database: str, test: str) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        comment = f"{KEPT}{moment} {test}"
        await self.backstage.execute("COMMENT ON DATABASE %I IS %L", database, comment)
        for row in await self.backstage.fetch(_OLDER, KEPT, MOST_KEPT):
            with suppress(NoDatabaseError):  # another run may be dropping it
                statement = "DROP DATABASE IF EXISTS %I WITH (FORCE)"
                await self.backstage.execute(statement, row["datname"])
