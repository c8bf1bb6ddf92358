"""Whether an event loop keeps up, and what it did while it served nobody.

A thread of its own pings the loop and waits for the answer: a coroutine that watched would stand
still with the loop that it watches. While an answer is overdue the thread looks at the loop's stack
again and again, and the place that was seen most often is blamed: the first look alone once called
a wait for a connection an import.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from time import perf_counter
from types import FrameType

from harness.capture.histogram import Histogram
from harness.capture.source import SourceMap
from harness.capture.stacks import StackBook
from harness.capture.windows import Stall, StallCause
from harness.findings import SourceLine

__all__ = ["LoopWatch"]

_PERIOD_SECONDS = 0.02
"""Between two pings: 0.5 % of a core for an idle loop."""
_STALL_SECONDS = 0.05
_JOIN_SECONDS = 1.0
# Where SQLAlchemy waits on the loop's own thread; its asyncio extension never does.
_POOL_WAIT = ("sqlalchemy/pool/impl.py", "_do_get")
_SYNC_SQL = ("sqlalchemy/engine/default.py", ("do_execute", "do_executemany", "do_ping"))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a loop is that does not answer; lines of one function are one place."""

    cause: StallCause
    route: str
    path: str
    function: str


@dataclass(slots=True, eq=False)
class _Counted:
    count: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0
    sites: Counter[SourceLine | None] = field(default_factory=Counter)
    """The lines that were seen."""


@dataclass(slots=True, eq=False)
class LoopWatch:
    """Watches one event loop.

    Args:
        source: Tells the user's lines from others.
        route_of: The route that a stack works for; empty where it shows none.
    """

    source: SourceMap
    route_of: Callable[[FrameType], str]
    lag: Histogram = field(default_factory=Histogram)
    """How late the loop was to answer."""
    _stalls: dict[_Place, _Counted] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _book: StackBook = field(init=False)

    def __post_init__(self) -> None:
        self._book = StackBook(self.source)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the running loop, from the thread that it runs in, until the block is left."""
        loop, thread_id = asyncio.get_running_loop(), threading.get_ident()
        self._is_over.clear()
        thread = threading.Thread(
            target=self._watch, args=(loop, thread_id), name="harness-loop-watch", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(_JOIN_SECONDS)

    def stalls(self) -> list[Stall]:
        """What blocked the loop so far, the longest in total first."""
        found = [
            Stall(
                cause=place.cause,
                count=counted.count,
                seconds=counted.seconds,
                longest_seconds=counted.longest_seconds,
                route=place.route,
                site=counted.sites.most_common(1)[0][0],
            )
            for place, counted in tuple(self._stalls.items())
        ]
        return sorted(found, key=lambda stall: -stall.seconds)

    def _watch(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        while not self._is_over.wait(_PERIOD_SECONDS):
            answered = threading.Event()
            began = perf_counter()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                return  # the loop is closed
            looks = self._looks_until(answered, began, thread_id)
            lag_seconds = perf_counter() - began
            self.lag.add(lag_seconds)
            if looks:
                self._note(looks, lag_seconds)

    def _looks_until(
        self, answered: threading.Event, began: float, thread_id: int
    ) -> list[tuple[_Place, SourceLine | None]]:
        looks: list[tuple[_Place, SourceLine | None]] = []
        while not answered.wait(_PERIOD_SECONDS) and not self._is_over.is_set():
            frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - the documented way
            if frame is not None and perf_counter() - began > _STALL_SECONDS:
                looks.append(self._look(frame))
        return looks

    def _look(self, frame: FrameType) -> tuple[_Place, SourceLine | None]:
        site = self.source.explained(self._book.take(frame)).site
        path, function = (site.path, site.function) if site is not None else ("", "")
        return _Place(_cause(frame), self.route_of(frame), path, function), site

    def _note(self, looks: list[tuple[_Place, SourceLine | None]], seconds: float) -> None:
        [(place, _)] = Counter(place for place, _ in looks).most_common(1)
        counted = self._stalls.setdefault(place, _Counted())
        counted.count += 1
        counted.seconds += seconds
        counted.longest_seconds = max(counted.longest_seconds, seconds)
        counted.sites.update(site for seen, site in looks if seen == place)


def _cause(frame: FrameType | None) -> StallCause:
    while frame is not None:
        file, name = PurePath(frame.f_code.co_filename).as_posix(), frame.f_code.co_name
        if file.endswith(_POOL_WAIT[0]) and name == _POOL_WAIT[1]:
            return StallCause.POOL_WAIT
        if file.endswith(_SYNC_SQL[0]) and name in _SYNC_SQL[1]:
            return StallCause.SYNC_SQL
        frame = frame.f_back
    return StallCause.OTHER
