"""Watches what the connections of an application do, from the server's side.

Reads ``pg_stat_activity`` ten times a second on a connection that is opened before any load: a
server without a free connection would refuse it exactly when it is needed. The sampler has a thread
and an event loop of its own, so that it keeps its pace whatever the process does besides.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from harness.database.activity_samples import (
    ActivityReading,
    ActivityTally,
    ServerLimits,
    sample_of,
)
from harness.database.admin import CONNECT_SECONDS, MAINTENANCE_DATABASE
from harness.database.server import ServerAddress
from harness.errors import UnreachableTargetError

__all__ = ["OWN_NAME", "ActivitySampler", "activity_sampler"]

OWN_NAME = "harness"
"""What the ``application_name`` of our own connections begins with: they are nobody's load."""
_EVERY_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_REOPEN_SECONDS = 0.2
_STOP_SECONDS = 5.0

# The server adds up, so that no text of a statement leaves it. Without the right to see it, a
# row has neither state nor type: leaving such rows out would show an idle database.
_SAMPLE = f"""
WITH clients AS (
    SELECT state, wait_event_type, state_change,
        query = '<insufficient privilege>' OR state = 'disabled' AS is_hidden,
        datname = $1 AS is_ours
    FROM pg_stat_activity
    WHERE (backend_type = 'client backend' OR query = '<insufficient privilege>')
        AND datname IS NOT NULL AND NOT starts_with(coalesce(application_name, ''), '{OWN_NAME}')
)
SELECT
    count(*) FILTER (WHERE is_ours AND state IN ('active', 'fastpath function call')) AS active,
    count(*) FILTER (WHERE is_ours AND starts_with(state, 'idle in transaction'))
        AS idle_in_transaction,
    count(*) FILTER (WHERE is_ours AND state = 'idle') AS idle,
    count(*) FILTER (WHERE is_ours AND state = 'active' AND wait_event_type = 'Lock')
        AS lock_waiting,
    count(*) FILTER (WHERE NOT is_ours) AS others,
    count(*) FILTER (WHERE is_ours AND is_hidden) AS hidden,
    coalesce(extract(epoch FROM max(clock_timestamp() - state_change)
        FILTER (WHERE is_ours AND starts_with(state, 'idle in transaction'))), 0) AS longest_seconds
FROM clients
"""  # noqa: S608 - the constant above
_LIMITS = """
SELECT current_setting('max_connections')::int AS max_connections,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved_connections
"""
_TIMEOUT = "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'statement_timeout'"
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@contextmanager
def activity_sampler(
    address: ServerAddress, database: str, *, every_seconds: float = _EVERY_SECONDS
) -> Iterator[ActivitySampler]:
    """Sample inside the block.

    Whoever is connected to the database counts as the application, unless its ``application_name``
    begins with ``harness``: the database was made for it, and its own name of connections, pool or
    proxy stays as it is.

    Args:
        address: Of the server itself, never of a proxy in front of it.
        database: The one that the application works on.
        every_seconds: Time between two samples.

    Raises:
        UnreachableTargetError: The server cannot be connected to.
    """
    sampler = ActivitySampler(address, database, every_seconds)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.stop()


@dataclass(slots=True, eq=False)
class ActivitySampler:
    """Reads ``pg_stat_activity`` in a thread of its own; see `activity_sampler`."""

    address: ServerAddress
    database: str
    every_seconds: float
    _limits: ServerLimits = field(default_factory=lambda: ServerLimits(0, 0, 0.0))
    _backend: int | None = None
    _tally: ActivityTally = field(default_factory=ActivityTally)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[None] | None = None
    _thread: threading.Thread | None = None

    @property
    def backend(self) -> int | None:
        """Process id of the server's process that answers us; None while it is lost."""
        return self._backend

    @property
    def limits(self) -> ServerLimits:
        """What the server allows."""
        return self._limits

    def begin(self) -> None:
        """A stretch of load begins: earlier samples do not count."""
        with self._lock:
            self._tally = ActivityTally()

    def reading(self) -> ActivityReading:
        """What the samples since `begin` add up to."""
        with self._lock:
            return self._tally.reading(self._limits)

    def start(self) -> None:
        """Connect, and sample from now on.

        Raises:
            UnreachableTargetError: The server cannot be connected to.
        """
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=[opened], name="harness activity", daemon=True
        )
        self._thread.start()
        try:
            opened.result(2 * CONNECT_SECONDS + _ANSWER_SECONDS)
        except BaseException:  # an interrupt, too
            self.stop()
            raise

    def stop(self) -> None:
        """Stop sampling and give the connection back."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # its loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _run(self, opened: Future[None]) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._live(opened))

    async def _live(self, opened: Future[None]) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        try:
            connection = await self._connected()
        except _LOST as error:
            opened.set_exception(self._unreachable(error))
            return
        opened.set_result(None)
        try:
            while True:
                due_seconds = time.monotonic() + self.every_seconds
                connection = await self._sampled(connection)
                await asyncio.sleep(max(0.0, due_seconds - time.monotonic()))
        finally:
            if connection is not None:
                connection.terminate()

    async def _sampled(self, connection: Any) -> Any:  # noqa: ANN401 - asyncpg ships no types
        """Take a sample; the connection to take the next one with, None if it has to be made."""
        try:
            if connection is None:
                connection = await self._connected()
            row = await connection.fetchrow(_SAMPLE, self.database, timeout=_ANSWER_SECONDS)
        except _LOST as error:
            with self._lock:
                self._tally.gap(f"{type(error).__name__} {error}".strip())
            self._backend = None
            if connection is not None:
                connection.terminate()
            await asyncio.sleep(_REOPEN_SECONDS)
            return None
        with self._lock:
            self._tally.add(sample_of(row, at_seconds=time.monotonic()))
        return connection

    async def _connected(self) -> Any:  # noqa: ANN401 - as above
        """The connection to sample on, with what the server allows read anew: it may be another."""
        working = await self._connect(self.database)
        try:
            timeout_seconds = await working.fetchval(_TIMEOUT, timeout=_ANSWER_SECONDS)
        finally:
            working.terminate()
        connection = await self._connect(MAINTENANCE_DATABASE)
        try:
            limits = await connection.fetchrow(_LIMITS, timeout=_ANSWER_SECONDS)
        except BaseException:
            connection.terminate()
            raise
        self._limits = ServerLimits(
            limits["max_connections"], limits["reserved_connections"], timeout_seconds
        )
        self._backend = connection.get_server_pid()
        return connection

    async def _connect(self, database: str) -> Any:  # noqa: ANN401 - as above
        return await asyncpg.connect(
            host=self.address.host,
            port=self.address.port,
            user=self.address.user,
            password=self.address.password,
            database=database,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": f"{OWN_NAME} activity"},
        )

    def _unreachable(self, error: Exception) -> UnreachableTargetError:
        return UnreachableTargetError(
            f"the activity of {self.database!r} cannot be watched: "
            f"{str(error) or type(error).__name__}",
            where=f"{self.address.host}:{self.address.port}, user {self.address.user!r}",
        )
