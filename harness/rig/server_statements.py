"""What the server ran for the application between two moments, as often as somebody asks.

Beside `harness.database.server_counts`, which counts one block: here the block is a whole
measurement, and whoever drives the rig wants each request by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.capture.server_tally import ServerTally
from harness.checks.server_origins import PING, Origin, origin_of
from harness.database.server import ServerAddress
from harness.database.server_counts import server_counts
from harness.errors import UnavailableError
from harness.findings import Verdict

__all__ = ["ServerStatements", "server_statements"]

_MOST_READINGS = 20


@dataclass(slots=True, eq=False)
class ServerStatements:
    """Counts since the last time that somebody asked."""

    read: Callable[[], ServerTally]
    """Cumulative."""
    _told: Counter[str] = field(default_factory=Counter)

    def take(self) -> dict[str, int]:
        """Executions by statement since the last time, without those of transactions and drivers.

        Read until two readings agree: a statement counts once its cursor has ended, which is after
        the answer.

        Raises:
            UnavailableError: Counts got lost.
        """
        before, now = Counter[str](), self._read()
        for _ in range(_MOST_READINGS):
            before, now = now, self._read()
            if before == now:
                break
        taken, self._told = now - self._told, now
        return dict(taken)

    def _read(self) -> Counter[str]:
        tally = self.read()
        if tally.verdict is not Verdict.PASS:
            raise UnavailableError(f"the server's counts cannot be used: {tally.reason}")
        return _of_application(tally)


@contextmanager
def server_statements(address: ServerAddress, database: str) -> Iterator[ServerStatements | str]:
    """Count for the block what the server runs in a database.

    Yields:
        The counts; or why this server does not count.
    """
    with server_counts(address, database) as counts:
        yield counts.tally.reason if counts.so_far is None else ServerStatements(counts.so_far)


def _of_application(tally: ServerTally) -> Counter[str]:
    ran = Counter[str]()
    for each in tally.shapes:
        text = each.shape.text
        if origin_of(text) is Origin.OTHERS and text != PING:
            ran[text] += each.calls
    return ran
