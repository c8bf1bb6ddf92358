"""The open model: requests arrive at a constant rate, whether earlier ones were answered or not.

Users that wait for their answers send less the slower the application is, and so never see what a
queue does (coordinated omission). Here each arrival has its time. A user that comes late to one
sends it at once, and its latency counts from the time that was intended, as wrk2 does; an arrival
that nobody came to within a second is dropped and counted, as k6 does. Free of Locust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["PATIENCE_SECONDS", "Arrivals"]

PATIENCE_SECONDS = 1.0
"""How late an arrival may be sent. Latency counts from its own time, so that this hides nothing."""

_JUST_DUE_SECONDS = 0.1
"""What fell due so shortly before the end would have been sent, by the next user who is free."""


@dataclass(slots=True, eq=False)
class Arrivals:
    """The arrivals that the users of one process share.

    Args:
        rate: Tells the arrivals a second of this process, as it is now: its share grows with the
            users that it gets.
        next_seconds: When the first is due, on the clock of `take`.
    """

    rate: Callable[[], float]
    next_seconds: float
    _dropped: int = 0

    def take(self, now_seconds: float) -> float:
        """When the next arrival is due; whoever asks has to send it.

        Args:
            now_seconds: On any clock that only grows.

        Returns:
            Its time: in the future, or up to `PATIENCE_SECONDS` ago.
        """
        interval = 1.0 / max(self.rate(), 1e-9)
        self._drop_until(now_seconds - PATIENCE_SECONDS, interval)
        due_seconds = self.next_seconds
        self.next_seconds += interval
        return due_seconds

    def end(self, now_seconds: float) -> None:
        """No more are sent: those that were due and that nobody came to are dropped."""
        if (rate := self.rate()) > 0:
            self._drop_until(now_seconds - _JUST_DUE_SECONDS, 1.0 / rate)

    def take_dropped(self) -> int:
        """How many were dropped since the last time."""
        taken, self._dropped = self._dropped, 0
        return taken

    def _drop_until(self, seconds: float, interval: float) -> None:
        if self.next_seconds < seconds:
            late = int((seconds - self.next_seconds) // interval) + 1
            self._dropped += late
            self.next_seconds += late * interval
