"""Whether an event loop keeps up, and what it did while it served nobody.

The loop notes how late its own timer is, and a thread of its own sees when that is overdue: a
coroutine that watched would stand still with the loop that it watches. While it is, the thread
looks at the loop's stack again and again, and the place that was seen most often is blamed: the
first look alone once called a wait for a connection an import.

The thread does not ask the loop and wait for its answer, and sleeps until the next beat would be
overdue: to wake up and take the interpreter's lock from a loop that works takes 0.1 to 0.3 ms, on a
virtual machine, of which a served application pays for each [measured].
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
from types import CodeType, FrameType

from harness.capture.histogram import Histogram
from harness.capture.origins import innermost_of_user
from harness.capture.source import SourceMap
from harness.capture.stacks import Boundary, Stack
from harness.capture.windows import Stall, StallCause
from harness.findings import SourceLine

__all__ = ["LoopWatch"]

_BEAT_SECONDS = 0.05
_LOOK_SECONDS = 0.02
"""Between two looks of the thread while the loop stands still."""
_STALL_SECONDS = 0.05
_JOIN_SECONDS = 1.0
_THREAD_NAME = "harness-loop-watch"
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


_Look = tuple[_Place, SourceLine | None]
"""Where it was seen, and in which line."""


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
        also: Called a dozen times a second, in the thread that watches.
    """

    source: SourceMap
    route_of: Callable[[FrameType], str]
    also: Callable[[], None] | None = None
    lag: Histogram = field(default_factory=Histogram)
    """How late the loop was to do what was due."""
    _stalls: dict[_Place, _Counted] = field(default_factory=dict)
    _due_seconds: float = 0.0
    """When the loop's next beat is to come."""
    _late_seconds: float = 0.0
    """How late the latest was of those that came since the thread began to look."""
    _thread_start: CodeType | None = field(init=False, default=None, repr=False)
    """What the loop's thread began with."""
    _next_beat: asyncio.TimerHandle = field(init=False, repr=False)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the running loop, from the thread that it runs in, until the block is left."""
        loop, thread_id = asyncio.get_running_loop(), threading.get_ident()
        watched = threading.Lock()  # who waits for it sleeps without running any Python
        watched.acquire()
        self._thread_start = _outermost(sys._getframe())  # noqa: SLF001 - documented
        self._due_seconds = perf_counter() + _BEAT_SECONDS
        self._next_beat = loop.call_later(_BEAT_SECONDS, self._beat, loop)
        thread = threading.Thread(
            target=self._watch, args=(loop, thread_id, watched), name=_THREAD_NAME, daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            watched.release()
            self._next_beat.cancel()
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

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now_seconds = perf_counter()
        late_seconds = max(now_seconds - self._due_seconds, 0.0)
        self.lag.add(late_seconds)
        # The thread may wake up for one beat after the next, which is not late at all.
        self._late_seconds = max(self._late_seconds, late_seconds)
        self._due_seconds = now_seconds + _BEAT_SECONDS
        self._next_beat = loop.call_later(_BEAT_SECONDS, self._beat, loop)

    def _watch(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, watched: threading.Lock
    ) -> None:
        while not _is_free(watched, self._due_seconds + _STALL_SECONDS) and not loop.is_closed():
            if self.also is not None:
                self.also()
            due_seconds = self._due_seconds
            if perf_counter() - due_seconds > _STALL_SECONDS:
                looks, seconds = self._looks_until_next(loop, due_seconds, thread_id, watched)
                if not loop.is_closed():  # a closed one stands still for good, which is no stall
                    self._note(looks, seconds)

    def _looks_until_next(
        self,
        loop: asyncio.AbstractEventLoop,
        due_seconds: float,
        thread_id: int,
        watched: threading.Lock,
    ) -> tuple[Counter[_Look], float]:
        """How often what was seen until the beat that was due, and how late that was."""
        looks: Counter[_Look] = Counter()
        self._late_seconds = 0.0
        while self._due_seconds == due_seconds and not loop.is_closed():
            frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - the documented way
            if frame is not None:
                looks[self._look(frame)] += 1
            if _is_free(watched, perf_counter() + _LOOK_SECONDS):
                return looks, perf_counter() - due_seconds
        return looks, self._late_seconds

    def _look(self, frame: FrameType) -> _Look:
        # Code and position of one frame at once: the loop may go on while this thread looks.
        user = innermost_of_user(self.source, frame)
        site = None
        if user is not None:
            stack = Stack((user.f_code,), (user.f_lasti,), Boundary.NOWHERE, passage=None)
            site = self.source.explained(stack).site
        path, function = (site.path, site.function) if site is not None else ("", "")
        return _Place(_cause(frame, self._thread_start), self.route_of(frame), path, function), site

    def _note(self, looks: Counter[_Look], seconds: float) -> None:
        if not looks:
            return  # it came just then
        places: Counter[_Place] = Counter()
        for (seen, _), times in looks.items():
            places[seen] += times
        [(place, _)] = places.most_common(1)
        counted = self._stalls.get(place, _Counted())
        counted.count += 1
        counted.seconds += seconds
        counted.longest_seconds = max(counted.longest_seconds, seconds)
        counted.sites.update(
            {site: times for (seen, site), times in looks.items() if seen == place}
        )
        self._stalls[place] = counted  # only now: somebody may read it at any time


def _is_free(watched: threading.Lock, until_seconds: float) -> bool:
    """Sleep until then, or until nobody watches any more: that ends the thread."""
    is_free = watched.acquire(timeout=max(until_seconds - perf_counter(), 0.0))
    if is_free:
        watched.release()  # who asks again is told the same
    return is_free


def _cause(frame: FrameType, thread_start: CodeType | None) -> StallCause:
    """What SQLAlchemy did; other where it ran for its asyncio extension.

    That runs in greenlets, whose stacks end with themselves and not with the thread's first frame.
    It never waits there, but a machine that runs something else may stop it there, for 270 ms
    [measured]. How a thread begins has many names (``<module>``, ``_bootstrap``, and
    ``_run_module_as_main`` under ``python -m``): it is noted when the watch begins.
    """
    if _outermost(frame) is not thread_start:
        return StallCause.OTHER
    each: FrameType | None = frame
    while each is not None:
        file, name = PurePath(each.f_code.co_filename).as_posix(), each.f_code.co_name
        if (cause := _cause_of(file, name)) is not StallCause.OTHER:
            return cause
        each = each.f_back
    return StallCause.OTHER


def _outermost(frame: FrameType) -> CodeType:
    back = frame.f_back
    while back is not None:  # read once: the thread that it belongs to may return meanwhile
        frame, back = back, back.f_back
    return frame.f_code


def _cause_of(file: str, name: str) -> StallCause:
    if file.endswith(_POOL_WAIT[0]) and name == _POOL_WAIT[1]:
        return StallCause.POOL_WAIT
    if file.endswith(_SYNC_SQL[0]) and name in _SYNC_SQL[1]:
        return StallCause.SYNC_SQL
    return StallCause.OTHER
