"""What the application's pools went through in one run of Locust, by its probe.

A server outlives the runs that load it: what it counted before belongs to others, so it is read at
both ends. Under gevent: the reading itself is `harness.statuses`, whose sockets Locust has patched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import gevent

from harness.database.activity_samples import ActivityReading
from harness.load.pools_seen import PoolsSeen, pools_seen
from harness.load.result import LoadResult, client_window
from harness.rig.protocol import Stretch
from harness.rig.reading import STATUS_SECONDS, Window, begun_window
from harness.served import ServedApplication
from harness.statuses import Told, told_by

__all__ = ["RunReading"]

_REST_SECONDS = 5.0
"""Clients that stop leave requests behind that the server still works on."""
_LONGER = "a longer --run-time leaves more time for it"
_SAME_VERSION = "install the same one on both sides"
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class RunReading:
    """The application, read as a run begins and once it has come to rest."""

    window: Window | None
    """None where it has not told its counts in time."""
    why_unread: str = ""
    _ending: gevent.Greenlet | None = field(default=None, repr=False)

    @classmethod
    def begun(cls, target: ServedApplication, *, within_seconds: float | None = None) -> RunReading:
        """A run is about to begin.

        Args:
            target: What it loads.
            within_seconds: How long its processes may take; None for as long as they need.
        """
        reading = gevent.spawn(begun_window, _Sides(target), ())
        try:
            return cls(reading.get(timeout=within_seconds))
        except gevent.Timeout:
            why = f"the probe was not read within {within_seconds:g} s of the start; {_LONGER}"
            return cls(None, why)

    def end(self) -> None:
        """The run has ended: read, and keep nobody waiting; a second call changes nothing."""
        self._ended()

    def seen(self, result: LoadResult) -> PoolsSeen | None:
        """What came of it, once it is known; a run that has not been ended ends.

        Returns:
            None where there is no probe.
        """
        stretch = self._ended().get()
        if isinstance(stretch, PoolsSeen):
            return stretch
        return _understood(lambda: pools_seen(stretch, client_window(result)))

    def _ended(self) -> gevent.Greenlet:
        if self._ending is None:
            self._ending = gevent.spawn(_understood, self._end)
        return self._ending

    def _end(self) -> Stretch | PoolsSeen:
        if self.window is None:
            return PoolsSeen((), self.why_unread)
        return self.window.end(rest_seconds=_REST_SECONDS)


def _understood(read: Callable[[], _T]) -> _T | PoolsSeen:
    """What is read of a status, or why not: it may come from another version of the harness."""
    try:
        return read()
    except (LookupError, TypeError, AttributeError) as error:
        why = f"the probe's status is not as this version writes it ({error!r}); {_SAME_VERSION}"
        return PoolsSeen((), why)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The application alone; see `harness.rig.reading.Sides`."""

    target: ServedApplication

    def told(self) -> Told:
        addresses = {worker.pid: worker.url for worker in self.target.workers}
        target = self.target
        return told_by(target.url, target.token, addresses, wait_seconds=STATUS_SECONDS)

    def participants(self, processes: Iterable[int]) -> Iterable[int]:
        del processes  # may be those of another machine
        return (os.getpid(),)

    def begin_activity(self) -> None:
        """Nobody looks into its server."""

    def activity(self) -> ActivityReading:
        return ActivityReading(None, "its server is not watched")
