"""The event loop of a process that the probe watches, and the threads that belong to it.

Beside `eventloop`, which watches a loop for the length of a block: a probe has no block, but events
that come on some loop.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from harness.capture.eventloop import LoopWatch
from harness.capture.guard import Guard
from harness.capture.route_counts import line_json
from harness.capture.source import SourceMap
from harness.capture.surroundings import Threads
from harness.capture.tracking import route_of_stack

__all__ = ["WatchedLoop"]


@dataclass(slots=True, eq=False)
class WatchedLoop:
    """Watches the loop that requests come on.

    Args:
        source: Tells the user's lines from others.
        guard: Keeps the first error of ours.
    """

    source: SourceMap
    guard: Guard
    threads: Threads = field(default_factory=Threads)
    _watch: LoopWatch = field(init=False)
    watched: asyncio.AbstractEventLoop | None = None
    """The loop."""
    _is_foreign: bool = False
    """Whether requests come on a loop that is not asyncio's, which nobody here can watch."""
    _watching: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._watch = LoopWatch(self.source, route_of_stack, also=self.threads.look)

    def enter(self) -> None:
        """Watch the running loop, unless one is watched that is not closed yet."""
        if self.watched is None or self.watched.is_closed():
            with self.guard.watching():
                self._begin()

    def leave(self) -> None:
        """End the watch."""
        self._watching.close()
        self.watched = None

    def as_json(self) -> dict[str, Any]:
        """Lag and stalls; see ``docs/reference/status.md``."""
        return {
            "lag": self._watch.lag.as_json(),
            "stalls": [
                {
                    "cause": stall.cause.value,
                    "route": stall.route,
                    "count": stall.count,
                    "seconds": stall.seconds,
                    "longest_seconds": stall.longest_seconds,
                    "site": line_json(stall.site),
                }
                for stall in self._watch.stalls()
            ],
        }

    def _begin(self) -> None:
        if self._is_foreign:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._is_foreign = True
            return
        self._watching.close()
        self.watched = loop
        self.threads.find()
        self._watching.enter_context(self._watch.watching())
