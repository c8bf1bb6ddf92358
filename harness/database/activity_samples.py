"""What readings of ``pg_stat_activity`` add up to: pure, and free of any server.

Kept apart from reading (`activity`): what the means of a stretch of load are, how a long series
stays small enough for a picture, and when nothing may be concluded is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.capture.windows import ServerWindow

__all__ = ["ActivityReading", "ActivitySample", "ActivityTally", "ServerLimits", "sample_of"]

_MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class ActivitySample:
    """What the connections of the application did at one moment."""

    at_seconds: float
    """On the machine-wide clock of `time.monotonic`."""
    active: int
    idle_in_transaction: int
    idle: int
    lock_waiting: int
    """Of the active ones."""
    others: int
    """Connections of other programs."""
    hidden: int
    """Connections of the application of which the server does not tell what they do."""
    longest_idle_in_transaction_seconds: float


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What the server's configuration allows."""

    max_connections: int
    reserved_connections: int
    """For superusers, and for roles that may use reserved ones."""
    statement_timeout_seconds: float
    """In the application's database, for its role; 0 for none."""


@dataclass(frozen=True, slots=True)
class ActivityReading:
    """What comes out of a stretch of samples."""

    window: ServerWindow | None
    """None where the samples cannot be judged."""
    reason: str
    """Why there is no window; or what the window lacks; empty for nothing."""
    series: tuple[ActivitySample, ...] = ()
    """Evenly thinned out where there were many."""


def sample_of(row: Mapping[str, Any], *, at_seconds: float) -> ActivitySample:
    """A sample from the row that the server answers."""
    return ActivitySample(
        at_seconds=at_seconds,
        active=row["active"],
        idle_in_transaction=row["idle_in_transaction"],
        idle=row["idle"],
        lock_waiting=row["lock_waiting"],
        others=row["others"],
        hidden=row["hidden"],
        longest_idle_in_transaction_seconds=float(row["longest_seconds"]),
    )


@dataclass(slots=True, eq=False)
class ActivityTally:
    """Adds samples up: sums over all of them, and an evenly thinned series of at most 2000."""

    most_kept: int = _MOST_KEPT
    _samples: int = 0
    _sums: list[int] = field(default_factory=lambda: [0] * 5)
    _hidden: int = 0
    _longest_seconds: float = 0.0
    _kept: list[ActivitySample] = field(default_factory=list)
    _every: int = 1
    _gaps: list[str] = field(default_factory=list)

    def add(self, sample: ActivitySample) -> None:
        """Count a sample."""
        if self._samples % self._every == 0:
            self._kept.append(sample)
        self._samples += 1
        if len(self._kept) >= self.most_kept:
            self._kept = self._kept[::2]
            self._every *= 2
        counted = (
            sample.active,
            sample.idle_in_transaction,
            sample.idle,
            sample.lock_waiting,
            sample.others,
        )
        self._sums = [total + more for total, more in zip(self._sums, counted, strict=True)]
        self._hidden = max(self._hidden, sample.hidden)
        longest = sample.longest_idle_in_transaction_seconds
        self._longest_seconds = max(self._longest_seconds, longest)

    def gap(self, why: str) -> None:
        """The server did not answer: samples are missing from here."""
        if len(self._gaps) < self.most_kept:
            self._gaps.append(why)

    def reading(self, limits: ServerLimits) -> ActivityReading:
        """What the samples so far add up to.

        Returns:
            Without a window where no sample was taken, or where the server hid what a connection of
            the application did: a mean over the rest would look like an idle database.
        """
        reason = self._why_nothing() or self._what_lacks()
        window = None if self._why_nothing() else self._window(limits)
        return ActivityReading(window, reason, tuple(self._kept))

    def _why_nothing(self) -> str:
        if self._hidden:
            return (
                f"the server does not tell what {self._hidden} of the application's connections do:"
                " grant pg_read_all_stats to the role, or set track_activities = on"
            )
        if not self._samples:
            return f"the server gave no sample: {self._gaps[0] if self._gaps else 'no time'}"
        return ""

    def _what_lacks(self) -> str:
        if not self._gaps:
            return ""
        return f"the server did not answer {len(self._gaps)} times, at first: {self._gaps[0]}"

    def _window(self, limits: ServerLimits) -> ServerWindow:
        active, in_transaction, idle, waiting, others = (
            total / self._samples for total in self._sums
        )
        return ServerWindow(
            samples=self._samples,
            active=active,
            idle_in_transaction=in_transaction,
            idle=idle,
            lock_waiting=waiting,
            others=others,
            max_connections=limits.max_connections,
            reserved_connections=limits.reserved_connections,
            longest_idle_in_transaction_seconds=self._longest_seconds,
            statement_timeout_seconds=limits.statement_timeout_seconds,
        )
