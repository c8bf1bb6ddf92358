"""Whether a test has left anything in its copy: if not, the next test may have it.

Counters of the whole server (the log's position, transaction numbers) tell nothing here: other
workers write, and copies are made all the time. Those of one database do, and they are exact when
its last connection has ended: the server's processes report as they leave. Rows, tables and types
all count as rows, of catalogs, too; sequences and settings of the database are compared apart.
What a test has not written but held (locks, LISTEN, prepared statements) ends with its connections.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.database.clones.backstage import Backstage

if TYPE_CHECKING:
    from harness.database.copies import Copy

__all__ = ["Traces"]

_LEAVING_POLLS = 200
_POLL_SECONDS = 0.005
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
_LEFT = """
SELECT current_setting('track_counts')::bool AS is_counted, concat_ws(' ',
    (SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database
     WHERE datname = current_database()),
    (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()),
    (SELECT string_agg(setconfig::text, ' ' ORDER BY setrole) FROM pg_db_role_setting
     WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    (SELECT string_agg(coalesce(last_value::text, '-'), ' ' ORDER BY schemaname, sequencename)
     FROM pg_sequences)) AS left_behind
"""


@dataclass(slots=True, eq=False)
class Traces:
    """Compares a used copy with a fresh one."""

    backstage: Backstage
    _of_source: dict[str, str | None] = field(default_factory=dict)
    """What is found in a fresh copy; None for a source that only one was made of."""

    async def learn(self, name: str, source: str) -> None:
        """Look into a fresh copy: the second of a source, since somebody waits for the first."""
        if source not in self._of_source:
            self._of_source[source] = None
        elif self._of_source[source] is None:
            self._of_source[source] = await self._left_in(name)
            await self._leave(name)

    async def are_none(self, copy: Copy) -> bool:
        """Whether a copy is as good as new. Cuts off what is connected to it."""
        fresh = self._of_source.get(copy.source or "")
        if fresh is None or not await self._leave(copy.name):
            return False
        is_clean = await self._left_in(copy.name) == fresh
        return is_clean and await self._leave(copy.name)

    async def _leave(self, name: str) -> bool:
        for _ in range(_LEAVING_POLLS):
            await self.backstage.fetch(_END, name)
            if await self.backstage.value(_CONNECTED, name) == 0:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _left_in(self, name: str) -> str | None:
        connection = await self.backstage.connect(name)
        try:
            row = await connection.fetchrow(_LEFT)
            return str(row["left_behind"]) if row["is_counted"] else None
        finally:
            await connection.close()
