"""One trouble under load, as its clients and the application's pool saw it: the frozen facts.

Apart from `traffic`, which has those of the exhaustion step: here the load goes on while something
happens to the database, and what is judged is the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.capture.traffic import Outcome, RequestOutcome

__all__ = ["TroubleStory"]

_FAILURES = frozenset({Outcome.ERROR, Outcome.SHED, Outcome.HANG})


@dataclass(frozen=True, slots=True)
class TroubleStory:
    """What became of the requests before, during and after a trouble.

    Offsets are seconds after the start of the load.
    """

    probe: str
    """Name of its verdict."""
    trouble: str
    """In words: ``"backends killed"``."""
    begins_seconds: float
    ends_seconds: float
    until_seconds: float
    """How long the application was watched."""
    down_seconds: float
    """How long the database was out of reach, or in trouble; 0 for what took no time."""
    answers: tuple[RequestOutcome, ...]
    """On routes that were answered well before."""
    recovery_seconds: float | None
    """From the end until the first of five good answers in a row; None: not while watched."""
    pool_timeout_seconds: float
    """How long a request may wait for a connection; 0 where nobody knows."""
    hold_seconds: float
    """Mean hold time without trouble; 0 where nobody knows."""
    most_connections: int | None
    """Of all pools of all processes together; None without a bound, or where nobody knows."""
    leaves_stale: bool = False
    """Whether pools may have kept connections that are dead."""
    left_out: tuple[str, ...] = ()
    """Routes that failed before the trouble: nothing can be said of them."""
    checked_out_at_rest: int | None = None
    """Connections still out when all clients had left; None where nobody looked."""
    backends_at_rest: int | None = None
    """Connections that the server has of the application then; None where nobody looked."""
    backends_before: int | None = None
    """Likewise, before any trouble."""
    processes_gone: int = 0
    """Of the application, that have ended."""
    failing: tuple[tuple[str, int], ...] = ()
    """By route, how many requests count against it, the most first."""

    @property
    def good_before(self) -> int:
        """Requests that were answered well before the trouble."""
        return sum(
            item.offset_seconds + item.seconds < self.begins_seconds and item.outcome is Outcome.OK
            for item in self.answers
        )

    @property
    def met(self) -> tuple[RequestOutcome, ...]:
        """Requests that were under way while it lasted."""
        return tuple(
            item
            for item in self.answers
            if item.offset_seconds < self.ends_seconds
            and item.offset_seconds + item.seconds >= self.begins_seconds
        )

    @property
    def failed_during(self) -> int:
        """Of these, the failures."""
        return sum(item.outcome in _FAILURES for item in self.met)

    def failed_after(self) -> Iterator[RequestOutcome]:
        """Requests that failed, and were sent when it was over."""
        return filter(self._failed_after, self.answers)

    @property
    def hung(self) -> int:
        """Requests that no answer came to, since it began."""
        return sum(map(self._hung, self.answers))

    def counts_against(self, item: RequestOutcome) -> bool:
        """Whether a request is one of `failed_after` or `hung`: others were to be expected."""
        return self._failed_after(item) or self._hung(item)

    def _failed_after(self, item: RequestOutcome) -> bool:
        return item.offset_seconds >= self.ends_seconds and item.outcome in _FAILURES

    def _hung(self, item: RequestOutcome) -> bool:
        ended_seconds = item.offset_seconds + item.seconds
        return item.outcome is Outcome.HANG and ended_seconds >= self.begins_seconds
