"""Requests beside a load, ten a second on one route: what everybody else feels meanwhile.

From the process that conducts, with threads and connections of its own: the generator's users wait
for their answers, and a load that stands still would ask nobody.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection

from harness.campaign.asking import FAILURES, read_whole
from harness.capture.histogram import Histogram
from harness.capture.traffic import Distribution, Outcome
from harness.load.sending import NO_HEADERS, connection_to, target_of
from harness.load.tally import answer_of

__all__ = ["LANES", "SideAnswer", "SideProbe", "side_probe"]

LANES = 2
"""Requests that are in flight at once at most: they wait for connections like anybody, and must not
be the load themselves."""
_PER_SECOND = 10.0
_EVERY_SECONDS = LANES / _PER_SECOND
"""Between two turns of a lane."""
_ANSWER_SECONDS = 10.0
"""As the users' own patience."""
_GRACE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class SideAnswer:
    """One request, as its client saw it."""

    started_seconds: float
    """On the machine-wide clock of `time.monotonic`."""
    seconds: float
    outcome: Outcome

    @property
    def ended_seconds(self) -> float:
        """When the answer was there, or patience ended."""
        return self.started_seconds + self.seconds


@dataclass(slots=True, eq=False)
class SideProbe:
    """Asks one route again and again; see `side_probe`.

    A lane that waits for its answer leaves its turns out, so there are fewer answers the longer
    they take.
    """

    url: str
    path: str
    answers: list[SideAnswer] = field(default_factory=list)
    """In the order of their ends."""
    unanswered: list[SideAnswer] = field(default_factory=list)
    """What was in flight at the end, with the time for which it was awaited."""
    patience_seconds: float = _ANSWER_SECONDS
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """To send with each request."""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _connections: list[HTTPConnection] = field(default_factory=list)
    _lanes: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to ask."""
        for number in range(LANES):
            connection = connection_to(self.url, wait_seconds=self.patience_seconds)
            lane = threading.Thread(
                target=self._ask, args=(connection, number / _PER_SECOND), daemon=True
            )
            self._connections.append(connection)
            self._lanes.append(lane)
            lane.start()

    def stop(self) -> None:
        """Ask no more; an answer that is awaited then is hardly waited for, and is none.

        But it is for a moment: a client that leaves is a trouble of its own.
        """
        self._is_over.set()
        until_seconds = time.monotonic() + _GRACE_SECONDS
        for lane in self._lanes:
            lane.join(max(0.0, until_seconds - time.monotonic()))
        for connection in self._connections:
            # Read once, since a lane that closes its connection takes the socket from it.
            if (sock := connection.sock) is not None:
                with suppress(OSError):  # its lane has closed it meanwhile
                    sock.shutdown(socket.SHUT_RDWR)
        for lane in self._lanes:
            lane.join()

    def latency(self, *, from_seconds: float, until_seconds: float) -> Distribution:
        """How long the requests took that were in flight at some time of a stretch.

        Turns that a lane left out while it waited would have waited, too, each one less than the
        turn before: counted as one, a loop that stands still for seconds would be outnumbered by
        the quick answers around it. It is HdrHistogram's correction of coordinated omission. What
        has no answer took as long as it was awaited, at least.
        """
        histogram = Histogram()
        for answer in (*self.answers, *self.unanswered):
            turns = range(max(1, math.ceil(answer.seconds / _EVERY_SECONDS)))
            for late_seconds in (turn * _EVERY_SECONDS for turn in turns):
                started_seconds = answer.started_seconds + late_seconds
                if answer.ended_seconds > from_seconds and started_seconds < until_seconds:
                    histogram.add(answer.seconds - late_seconds)
        return histogram.distribution()

    def _ask(self, connection: HTTPConnection, late_seconds: float) -> None:
        due_seconds = time.monotonic() + late_seconds
        target = target_of(self.url, self.path)
        with closing(connection):
            while not self._is_over.wait(max(0.0, due_seconds - time.monotonic())):
                answer = _answered(connection, target, self.patience_seconds, self.headers)
                (self.unanswered if self._is_over.is_set() else self.answers).append(answer)
                missed = max(0.0, time.monotonic() - due_seconds) // _EVERY_SECONDS
                due_seconds += (missed + 1) * _EVERY_SECONDS


@contextmanager
def side_probe(url: str, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Iterator[SideProbe]:
    """Ask a route for the block.

    Args:
        url: Of the application.
        path: Of the route.
        headers: To send with each request.
    """
    probe = SideProbe(url, path, headers=headers)
    probe.start()
    try:
        yield probe
    finally:
        probe.stop()


def _answered(
    connection: HTTPConnection, target: str, patience_seconds: float, headers: Mapping[str, str]
) -> SideAnswer:
    began_seconds = time.monotonic()
    status, failure = None, None
    try:
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        read_whole(answer, until_seconds=began_seconds + patience_seconds)
        status = answer.status
    except FAILURES as error:
        connection.close()  # the next request opens another one
        failure = error
    took_seconds = time.monotonic() - began_seconds
    return SideAnswer(began_seconds, took_seconds, answer_of(status, failure).outcome)
