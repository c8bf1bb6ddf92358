"""Keeps everybody else out of the run's database while tests are rolled back.

What a raw driver or another program writes would stay, and it would not see the test's rows. A
server that takes no connections for a database says so at the line that asks for one, whatever the
language. A change costs 0.2 ms [measured], six of them for each event loop, none from test to test.
The database is always one that was made for this run, and goes with it: nothing stays sealed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from harness.database.clones.run import Run
from harness.database.clones.tripwire import Tripwire
from harness.database.rollback.escapes import Policy, Unwatched, Watch
from harness.errors import HarnessError, NoDatabaseError

__all__ = ["Seal", "watch_over"]

_PARALLEL_FROM = 18
# Before these, workers of a parallel query were refused as strangers are.
_PARALLEL_SINCE = {13: 130_019, 14: 140_016, 15: 150_011, 16: 160_007, 17: 170_003}
_SESSIONS_SINCE = 140_000


@dataclass(slots=True, eq=False)
class Seal:
    """Shuts the run's database to all but the connections that there are.

    Args:
        run: Whose database.
    """

    run: Run
    _is_shut: bool | None = False
    """None where a change was interrupted."""
    _is_wanted: bool = False
    _guests: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_shut(self) -> bool:
        """Whether nobody can connect at this moment."""
        return self._is_shut is not False

    def begin_test(self, connects: int) -> None:  # noqa: ARG002 - nobody else can have come in
        """From now on nobody may connect but us."""
        with self._turn:
            self._is_wanted = True
            self._settle()

    def end_test(self, connects: int, ours: Callable[[], set[int]]) -> str | None:  # noqa: ARG002 - see above
        """Nobody: whoever tried has got the server's error."""
        return None

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """Open for the block."""
        with self._turn:
            self._guests += 1
            self._settle()
        try:
            yield
        finally:
            with self._turn:
                self._guests -= 1
                with suppress(HarnessError):  # the server is gone: the block has met that, too
                    self._settle()

    @contextmanager
    def aside(self, connects: Callable[[], int]) -> Iterator[None]:  # noqa: ARG002 - see above
        """Open for the block."""
        with self.let_in():
            yield

    def step_aside(self) -> None:
        """Open until a test begins."""
        with self._turn:
            self._is_wanted = False
            self._settle()

    def is_possible(self) -> bool:
        """Whether the server lets us, and goes on working in a sealed database."""
        backstage = self.run.backstage
        version = _version(self.run)
        major = version // 10000
        if major < _PARALLEL_FROM and version < _PARALLEL_SINCE.get(major, version + 1):
            return False
        try:
            backstage.call(backstage.execute(_statement(is_shut=False), self.run.database))
        except NoDatabaseError:
            return False
        return True

    def _settle(self) -> None:
        shall_be_shut = self._is_wanted and not self._guests
        if shall_be_shut is self._is_shut:
            return
        self._is_shut = None
        backstage, statement = self.run.backstage, _statement(is_shut=shall_be_shut)
        backstage.call(backstage.execute(statement, self.run.database))
        self._is_shut = shall_be_shut


def watch_over(run: Run, policy: Policy) -> Watch:
    """What keeps strangers out of a run's database, or else notices them.

    Raises:
        UnreachableTargetError: The server is gone.
    """
    seal = Seal(run)
    if policy == "error" and seal.is_possible():
        return seal
    return Tripwire(run) if _version(run) >= _SESSIONS_SINCE else Unwatched()


def _version(run: Run) -> int:
    """Of the server: 180004."""
    query = "SELECT current_setting('server_version_num')::int"
    version: int = run.backstage.call(run.backstage.value(query))
    return version


def _statement(*, is_shut: bool) -> str:
    return f"ALTER DATABASE %I ALLOW_CONNECTIONS {'false' if is_shut else 'true'}"
