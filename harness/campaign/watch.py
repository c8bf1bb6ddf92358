"""Looks at an application several times a second, beside a load and after it.

A thread of its own, because a stretch of load keeps the conductor waiting until connections are
back, and it is the time until then that is looked at.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from harness.campaign.ground import Ground
from harness.capture.abandonment import Glimpse, glimpse_of
from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.rig.protocol import Serving
from harness.statuses import read_status

__all__ = ["Watch", "addresses", "statuses_at", "watching"]

_EVERY_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_MOST = 2000


@dataclass(slots=True, eq=False)
class Watch:
    """What was seen so far."""

    urls: Sequence[str]
    token: str = field(repr=False)
    _glimpses: deque[Glimpse] = field(default_factory=lambda: deque(maxlen=_MOST))
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def glimpses(self) -> tuple[Glimpse, ...]:
        """All of them, in their order; of a long watch the last."""
        return tuple(self._glimpses)

    def await_rest(self, seconds: float) -> None:
        """Until nothing is being worked on, or for so long."""
        until_seconds = time.monotonic() + seconds
        while time.monotonic() < until_seconds and not self._ended.wait(_EVERY_SECONDS):
            if self._glimpses and self._glimpses[-1].is_at_rest:
                return

    def look(self) -> None:
        """Keep looking until the end; an application that does not answer is not seen."""
        while not self._ended.wait(_EVERY_SECONDS):
            told = statuses_at(self.urls, self.token)
            if told:
                self._glimpses.append(glimpse_of(told, at_seconds=time.monotonic()))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


@contextmanager
def watching(urls: Sequence[str], token: str) -> Iterator[Watch]:
    """Look at an application inside the block.

    Args:
        urls: Where each of its processes answers; see `addresses`.
        token: Opens the probe; empty: nothing is seen.
    """
    watch = Watch(urls, token)
    thread = threading.Thread(target=watch.look, name="watch", daemon=True)
    if token:
        thread.start()
    try:
        yield watch
    finally:
        watch.end()
        if thread.ident is not None:
            thread.join(_ANSWER_SECONDS * (len(urls) + 1))


def addresses(ground: Ground, serving: Serving | None) -> tuple[str, ...]:
    """Where each process of the application answers; of one that is not ours, where any does."""
    if serving is not None:
        return tuple(worker.url for worker in serving.workers)
    return (ground.url.rstrip("/"),)


def statuses_at(urls: Sequence[str], token: str) -> list[dict[str, Any]]:
    """The status of each process that tells it; nothing without a token."""
    told = []
    for url in urls if token else ():
        with suppress(UnreachableTargetError, BlindRecorderError):
            told.append(read_status(url, token, wait_seconds=_ANSWER_SECONDS))
    return told
