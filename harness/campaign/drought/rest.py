"""When a pool is at rest: nobody waits for a connection, and none is out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.served import ServedApplication
from harness.statuses import read_status

__all__ = ["RestWatch", "is_at_rest", "rest_watched"]

_EVERY_SECONDS = 0.1
_ANSWER_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class RestWatch:
    """Reads again and again whether all pools of all processes are at rest."""

    target: ServedApplication
    moments: list[float] = field(default_factory=list)
    """Ends of the readings in which they were, on `time.monotonic`."""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def first_after(self, seconds: float) -> float | None:
        """The first moment of rest from then on; None if there was none yet."""
        return next((moment for moment in tuple(self.moments) if moment >= seconds), None)

    def _look(self) -> None:
        while not self._is_over.wait(_EVERY_SECONDS):
            if is_at_rest(self.target):
                self.moments.append(time.monotonic())


@contextmanager
def rest_watched(target: ServedApplication) -> Iterator[RestWatch]:
    """Watch for the block."""
    watch = RestWatch(target)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def is_at_rest(target: ServedApplication) -> bool:
    """Whether nobody waits and nothing is out at this moment, as far as all processes tell."""
    try:
        statuses = [
            read_status(worker.url, target.token, wait_seconds=_ANSWER_SECONDS)
            for worker in target.workers
        ]
    except (UnreachableTargetError, BlindRecorderError):
        return False
    pools = [pool for status in statuses for pool in status["pools"]]
    return not any(pool["checked_out"] or pool["waiting"] for pool in pools)
