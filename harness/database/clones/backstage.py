"""A thread that talks to the server's maintenance database while tests do something else.

Databases are made ahead and dropped afterwards in it, and the locks that say who lives are held by
its connections. One loop and a few connections for all of that: a connection costs 5 ms, a thread
per statement as in `admin` another one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg

from harness.database.admin import CONNECT_SECONDS, MAINTENANCE_DATABASE
from harness.database.clones.refusals import explained
from harness.database.server import ServerAddress
from harness.errors import UnreachableTargetError

__all__ = ["Backstage", "backstage"]

T = TypeVar("T")

MOST_CONNECTIONS = 3
"""Two databases in the making and one that is dropped: more do not get faster on two cores."""
FINISH_SECONDS = 10.0
_RETAKE_SECONDS = 0.05
# A lock stands for a living run: the server must not end the connection for being quiet.
_NO_TIMEOUT = "SET idle_session_timeout = 0"
_IDLE_SESSION_TIMEOUT_SINCE = 14


@dataclass(slots=True, eq=False)
class Backstage:
    """Runs statements on the maintenance database, from any thread.

    Args:
        address: Of the server.
    """

    address: ServerAddress
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _idle: list[Any] = field(default_factory=list)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_CONNECTIONS))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread and wait for it.

        Raises:
            NoDatabaseError: The server refused a statement.
        """
        begun = self.start(work)
        try:
            return begun.result()
        except BaseException:  # an interrupt, too: nobody waits for it any more
            begun.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the thread while the caller goes on."""
        return asyncio.run_coroutine_threadsafe(self._explained(work), self._loop)

    async def _explained(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except asyncpg.PostgresError as error:
            raise explained(error, self.address) from error
        except (OSError, asyncpg.InterfaceError) as error:
            what = f"the PostgreSQL at {self.address.host}:{self.address.port} is gone: {error}"
            raise UnreachableTargetError(what) from error

    async def execute(self, statement: str, *names: str) -> None:
        """Run a statement outside of any transaction.

        Args:
            statement: With ``%I`` for identifiers and ``%L`` for literals.
            names: What stands there, quoted by the server: these statements take no parameters.
        """
        async with self._connection() as connection:
            places = ", ".join(f"${number}::text" for number in range(2, len(names) + 2))
            ask = f"SELECT format($1::text{', ' * bool(places)}{places})"
            await connection.execute(await connection.fetchval(ask, statement, *names))

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Rows of a query."""
        async with self._connection() as connection:
            rows: list[Any] = await connection.fetch(query, *values)
            return rows

    async def value(self, query: str, *values: object) -> Any:  # noqa: ANN401 - whatever is asked for
        """One value of the first row, None if there is none."""
        async with self._connection() as connection:
            return await connection.fetchval(query, *values)

    async def major_version(self) -> int:
        """Of the server: 18."""
        async with self._connection() as connection:
            major: int = connection.get_server_version().major
            return major

    async def connect(self, database: str = MAINTENANCE_DATABASE) -> Any:  # noqa: ANN401 - asyncpg ships no types
        """A connection of its own; whoever calls this closes it.

        Raises:
            UnreachableTargetError: No connection within five seconds.
        """
        try:
            connection = await asyncpg.connect(
                host=self.address.host,
                port=self.address.port,
                user=self.address.user,
                password=self.address.password,
                database=database,
                timeout=CONNECT_SECONDS,
                # Who counts an application's connections leaves ours out by it.
                server_settings={"application_name": "harness"},
            )
        except (OSError, asyncpg.InterfaceError) as error:
            reason = str(error) or f"no answer within {CONNECT_SECONDS} s"
            what = f"no connection to the PostgreSQL at {self.address.host}:{self.address.port}"
            raise UnreachableTargetError(f"{what}: {reason}") from error
        if connection.get_server_version().major >= _IDLE_SESSION_TIMEOUT_SINCE:
            await connection.execute(_NO_TIMEOUT)
        return connection

    @contextmanager
    def locked(self, key: int) -> Iterator[None]:
        """Hold a session-level advisory lock, waiting for it if need be.

        A server that is restarted meanwhile has forgotten it, and gets it again when it is back.
        """
        held = [self.call(self._locked_connection(key))]
        self._watch_over(key, held)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(_let_go, held)

    async def _locked_connection(self, key: int) -> Any:  # noqa: ANN401 - as `connect`
        connection = await self.connect()
        try:
            await connection.execute(f"SELECT pg_advisory_lock({key:d})")
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _watch_over(self, key: int, held: list[Any]) -> None:
        def take_again_soon(_: object) -> None:
            if held:  # short attempts by a timer: `finish` must not wait for a server that is gone
                self._loop.call_later(_RETAKE_SECONDS, lambda: self.start(take_again()))

        async def take_again() -> None:
            try:
                connection = await self._locked_connection(key)
            except (OSError, UnreachableTargetError, asyncpg.PostgresError, asyncpg.InterfaceError):
                take_again_soon(None)
                return
            lost = held.copy()
            held[:] = [connection] if lost else []
            if lost:
                connection.add_termination_listener(take_again_soon)
            else:  # nobody wants it any more
                connection.terminate()

        held[0].add_termination_listener(take_again_soon)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with self._room:
            while self._idle and self._idle[-1].is_closed():  # by a restart of the server
                self._idle.pop()
            connection = self._idle.pop() if self._idle else await self.connect()
            try:
                yield connection
            except asyncpg.PostgresError:
                raise  # of the statement: the connection is as good as before
            except BaseException:
                connection.terminate()
                raise
            finally:
                if not connection.is_closed():
                    self._idle.append(connection)

    async def finish(self) -> None:
        """Wait for what was started: a database in the making cannot be dropped yet."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=FINISH_SECONDS)

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        while self._idle:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._idle.pop().close(timeout=CONNECT_SECONDS)

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def _let_go(held: list[Any]) -> None:
    connections = held.copy()
    held.clear()  # first: what ends now is not to be taken again
    for connection in connections:
        connection.terminate()


@contextmanager
def backstage(address: ServerAddress) -> Iterator[Backstage]:
    """A thread for the block; what it is still doing at the end is cancelled."""
    stage = Backstage(address)
    # A daemon: an interpreter that is ended half way must not wait for it.
    thread = threading.Thread(target=stage._live, name="harness databases", daemon=True)  # noqa: SLF001 - its only caller
    thread.start()
    try:
        yield stage
    finally:
        asyncio.run_coroutine_threadsafe(stage._end(), stage._loop).result()  # noqa: SLF001 - see above
        stage._loop.call_soon_threadsafe(stage._loop.stop)  # noqa: SLF001 - see above
        thread.join()
        stage._loop.close()  # noqa: SLF001 - see above
