"""Asks a PostgreSQL what it counted of one database while a block ran: `pg_stat_statements`.

The counters belong to everybody on the server, so they are never reset: two readings are
subtracted. Both are taken from another database than the one that is counted, which may be sealed,
copied or compared meanwhile: from one of our own with the extension in it, or from the maintenance
database where that has it already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.capture.server_tally import ServerTally
from harness.database.admin import MAINTENANCE_DATABASE
from harness.database.clones.backstage import Backstage, backstage
from harness.database.clones.run import begun_run
from harness.database.counter_readings import Entry, Numbers, Reading, difference
from harness.database.server import ServerAddress
from harness.errors import NoDatabaseError, UnavailableError
from harness.findings import Verdict

__all__ = ["ServerCounts", "server_counts"]

_OLDEST = (1, 9)
"""Of the extension: the first that tells of lost entries and of nested statements."""
_SETTINGS = """
SELECT current_setting('pg_stat_statements.track', true) AS track,
    current_setting('pg_stat_statements.track_utility', true) AS track_utility,
    current_setting('compute_query_id', true) AS query_id,
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS is_there,
    (SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements') AS version
"""
_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements'"
_SCHEMA = """
SELECT format('%I', nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
WHERE extname = 'pg_stat_statements'
"""
_INFO = """
SELECT dealloc, stats_reset, (SELECT oid FROM pg_database WHERE datname = $1) AS database_oid
FROM {schema}.pg_stat_statements_info
"""
# Nested ones (of functions and triggers, with track = all) are not what a client ran.
_ENTRIES = """
SELECT coalesce(r.rolname, s.userid::text) AS role, s.queryid, s.query, s.calls, s.rows,
    s.total_exec_time / 1000 AS seconds
FROM {schema}.pg_stat_statements s LEFT JOIN pg_roles r ON r.oid = s.userid
WHERE s.dbid = $1 AND s.toplevel
"""


@dataclass(slots=True, eq=False)
class ServerCounts:
    """What comes out of `server_counts`."""

    tally: ServerTally
    """The difference; inconclusive until the block has ended."""
    so_far: Callable[[], ServerTally] | None = None
    """Reads the difference until now, in 0.04 s; None where nothing is counted (any more)."""


@contextmanager
def server_counts(
    address: ServerAddress, database: str, *, roles: Collection[str] = ()
) -> Iterator[ServerCounts]:
    """Count what a server runs in one database during the block.

    A statement counts once its cursor has ended: with the next one on its connection, at the latest
    with its transaction. One that failed never does.

    Args:
        address: Of the server.
        database: Whose statements to count. Nothing connects to it.
        roles: Whose statements to count; by default those of the address's user.

    Yields:
        What has the difference when the block has ended: ``skipped``, with the reason, where the
        server does not count; ``inconclusive`` where counts got lost meanwhile.

    Raises:
        UnreachableTargetError: The server does not answer as the block begins.
    """
    counts = ServerCounts(ServerTally(database, Verdict.INCONCLUSIVE, "the block has not ended"))
    with ExitStack() as stack:
        behind = stack.enter_context(backstage(address))
        counters = _opened(behind, database, stack)
        if isinstance(counters, str):
            counts.tally = ServerTally(database, Verdict.SKIPPED, counters)
            yield counts
            return
        before, wanted = behind.call(counters.read()), frozenset(roles) or {address.user}
        counts.so_far = lambda: counters.since(before, wanted)
        yield counts
        counts.so_far = None
        counts.tally = counters.since(before, wanted)


@dataclass(frozen=True, slots=True)
class _Counters:
    """One database's, as seen from another one."""

    behind: Backstage
    database: str
    seen_from: str
    has_utility: bool

    async def read(self) -> Reading:
        connection = await self.behind.connect(self.seen_from)
        try:
            schema = await connection.fetchval(_SCHEMA)
            info = await connection.fetchrow(_INFO.format(schema=schema), self.database)
            oid: int | None = info["database_oid"]
            rows = await connection.fetch(_ENTRIES.format(schema=schema), oid or 0)
        finally:
            await connection.close()
        counters: defaultdict[Entry, Numbers] = defaultdict(Numbers)
        for row in rows:
            added = Numbers(row["calls"], row["rows"], row["seconds"])
            counters[Entry(row["role"], row["queryid"])] += added
        texts = {Entry(row["role"], row["queryid"]): row["query"] for row in rows}
        return Reading(oid, info["dealloc"], info["stats_reset"], counters, texts)

    def since(self, before: Reading, roles: Collection[str]) -> ServerTally:
        try:
            after = self.behind.call(self.read())
        except UnavailableError as error:  # what the block did matters more than its count
            reason = f"the second reading failed: {error.what}"
            return ServerTally(self.database, Verdict.INCONCLUSIVE, reason)
        return difference(
            before,
            after,
            database=self.database,
            roles=roles,
            has_utility=self.has_utility,
        )


def _opened(behind: Backstage, database: str, stack: ExitStack) -> _Counters | str:
    """Where to read; or why there is nothing to be read."""
    (row,) = behind.call(behind.fetch(_SETTINGS))
    reason = _why_nothing_is_counted(row)
    if reason:
        return reason
    seen_from, version = MAINTENANCE_DATABASE, row["version"]
    if version is None:
        try:
            seen_from = stack.enter_context(begun_run(behind.address, worker="counts")).database
            version = behind.call(_create_extension(behind, seen_from))
        except NoDatabaseError as error:
            return _refused(behind.address.user, error)
    if tuple(int(part) for part in version.split(".")) < _OLDEST:
        return (
            f"pg_stat_statements {version} does not tell when it has lost counts; 1.9 does, of "
            "PostgreSQL 14: ALTER EXTENSION pg_stat_statements UPDATE"
        )
    return _Counters(behind, database, seen_from, has_utility=row["track_utility"] != "off")


async def _create_extension(behind: Backstage, database: str) -> str:
    connection = await behind.connect(database)
    try:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        return str(await connection.fetchval(_VERSION))
    finally:
        await connection.close()


def _why_nothing_is_counted(row: Mapping[str, Any]) -> str:
    if not row["is_there"]:
        return (
            "this PostgreSQL has no pg_stat_statements; the embedded one comes without extensions: "
            'postgres = "container" has it'
        )
    if row["track"] is None:
        return (
            "pg_stat_statements is not loaded: start the server with shared_preload_libraries = "
            "'pg_stat_statements', or take postgres = \"container\""
        )
    if row["track"] == "none" or row["query_id"] == "off":
        setting = "compute_query_id is off" if row["query_id"] == "off" else "its track is none"
        return f"pg_stat_statements is loaded, but {setting}"
    return ""


def _refused(user: str, error: NoDatabaseError) -> str:
    return (
        f"the role {user!r} cannot create pg_stat_statements ({error.what.splitlines()[0]}): as a "
        f"superuser, CREATE EXTENSION pg_stat_statements in the database {MAINTENANCE_DATABASE!r}"
    )
