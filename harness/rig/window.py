"""Windows of the rig's own: of the processes that it serves, their server, and itself.

How a window is read is `reading`'s; here is who is asked, and the one window at a time that a
driver begins and ends by commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.database.activity import ActivitySampler
from harness.database.activity_samples import ActivityReading
from harness.errors import MisuseError
from harness.rig.machine import postmaster_of
from harness.rig.protocol import Stretch
from harness.rig.reading import STATUS_SECONDS, Window, begun_window
from harness.served import ServedApplication
from harness.statuses import Told, told_at

__all__ = ["NOT_WATCHED", "Observatory"]

NOT_WATCHED = "the application works on SQLite, which has no server"


@dataclass(frozen=True, slots=True)
class _OwnSides:
    """What the rig has started; see `harness.rig.reading.Sides`."""

    served: ServedApplication
    sampler: ActivitySampler | None
    own_pid: int

    def told(self) -> Told:
        urls = {worker.pid: worker.url for worker in self.served.workers}
        return told_at(urls, self.served.token, wait_seconds=STATUS_SECONDS)

    def participants(self, processes: Iterable[int]) -> Iterable[int]:
        del processes  # they are the rig's own children
        server = _server_pid(self.sampler)
        return (self.own_pid, *([server] if server is not None else []))

    def begin_activity(self) -> None:
        if self.sampler is not None:
            self.sampler.begin()

    def activity(self) -> ActivityReading:
        if self.sampler is None:
            return ActivityReading(None, NOT_WATCHED)
        return self.sampler.reading()


@dataclass(slots=True, eq=False)
class Observatory:
    """One window after the other.

    Attributes:
        sampler: The server's side; None where there is no server.
        own_pid: Of the rig, which has started application and server.
    """

    sampler: ActivitySampler | None
    own_pid: int
    _window: Window | None = None

    def begin(self, served: ServedApplication, generator: Iterable[int]) -> None:
        """A window begins; one that has not ended is forgotten."""
        self._window = begun_window(_OwnSides(served, self.sampler, self.own_pid), generator)

    def end(self, *, rest_seconds: float) -> Stretch:
        """The window ends.

        Args:
            rest_seconds: How long to wait afterwards until no connection is out; 0 for not at all.

        Raises:
            MisuseError: None has begun.
        """
        window, self._window = self._window, None
        if window is None:
            raise MisuseError("no window has begun", remedy="begin one before it is ended")
        return window.end(rest_seconds=rest_seconds)

    def server_pid(self) -> int | None:
        """The server's first process, where it can be seen. Another one after a restart."""
        return _server_pid(self.sampler)


def _server_pid(sampler: ActivitySampler | None) -> int | None:
    return postmaster_of(sampler.backend) if sampler is not None else None
