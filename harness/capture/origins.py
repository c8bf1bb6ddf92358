"""Who asks for a connection and in which line: noted in microseconds, told later.

Beside `stacks`, which needs all of the user's frames to tell stacks apart: here the innermost is
enough, so the walk ends there. Taken for every checkout: which of them will not come back is only
known later.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, NamedTuple
from weakref import ref

import greenlet

from harness.capture.pool_state import Held, Origin
from harness.capture.source import SourceMap
from harness.capture.stacks import Boundary, Owner, Stack
from harness.findings import SourceLine

__all__ = ["Origins", "innermost_of_user", "is_running"]

_MOST_FRAMES = 60
"""From the pool to the user's line: 12 with a `Session`, 20 with an `AsyncSession`."""
_MOST_SHORTCUTS = 8


class _Shortcut(NamedTuple):
    """A frame up to which there was nothing but libraries' code when somebody walked there."""

    depth: int
    """From `Origins.here`."""
    code: CodeType
    offset: int


@dataclass(slots=True, eq=False)
class Origins:
    """Notes origins.

    Most checkouts come to the pool through the same few of SQLAlchemy's methods. Walking through
    their frames takes more than everything else that is done for a checkout, so what was walked
    through once is stepped over: where the last of them is at the same depth again, at the same
    instruction, those between are taken to be the same, too.

    Args:
        source: Tells the user's lines from others.
    """

    source: SourceMap
    _shortcuts: list[_Shortcut] = field(default_factory=list)
    """The latest first."""

    def here(self) -> Origin:
        """The task or thread that runs, and the user's line that it is at."""
        try:
            task = asyncio.current_task()
        except RuntimeError:  # a thread without a loop
            task = None
        owner: Any = ref(task if task is not None else threading.current_thread())
        here = sys._getframe  # noqa: SLF001 - the documented way
        for depth, code, offset in self._shortcuts:
            try:
                last = here(depth)
            except ValueError:  # the stack is not that deep
                continue
            if last.f_code is code and last.f_lasti == offset:
                frame = innermost_of_user(self.source, last.f_back)
                break
        else:
            frame = self._walk(here())
        if frame is None:
            return Origin(owner)
        return Origin(owner, frame.f_code, frame.f_lasti)

    def line(self, origin: Origin) -> SourceLine | None:
        """The user's line."""
        if origin.code is None:
            return None
        stack = Stack((origin.code,), (origin.offset,), Boundary.NOWHERE, passage=None)
        return self.source.explained(stack).site

    def _walk(self, first: FrameType) -> FrameType | None:
        """As `innermost_of_user`, and note how far everything was a library's."""
        frame, last, depth = first, first, 0
        while (behind := frame.f_back) is not None and depth < _MOST_FRAMES:
            if self.source.owner(behind.f_code.co_filename) is not Owner.LIBRARY:
                break
            frame = last = behind
            depth += 1
        if depth:
            found = _Shortcut(depth, last.f_code, last.f_lasti)
            self._shortcuts = [found, *self._shortcuts[: _MOST_SHORTCUTS - 1]]
        return innermost_of_user(self.source, last.f_back)


def innermost_of_user(source: SourceMap, first: FrameType | None) -> FrameType | None:
    """The first frame of the user's from a frame outwards; None where the framework comes first."""
    owner_of, find = source.owners.get, source.owner
    user, library = Owner.USER, Owner.LIBRARY  # looking them up takes as long as a frame
    frame, current = first, None
    while True:
        while frame is not None:
            code = frame.f_code
            owner: Any = owner_of(code.co_filename) or find(code.co_filename)
            if owner is not library:
                if owner is user:
                    return frame
                if isinstance(owner.get(code.co_name), Boundary):
                    return None
            frame = frame.f_back
        # SQLAlchemy's asyncio extension connects in a greenlet, below the one that awaits.
        current = (current or greenlet.getcurrent()).parent
        if current is None:
            return None
        frame = current.gr_frame


def is_running(held: Held) -> bool:
    """Whether what took a connection still works, and so may give it back.

    The task or the thread that a request came in, and a thread of a pool, outlive it: of these the
    request tells.
    """
    owner = held.origin.owner() if held.origin is not None and held.origin.owner else None
    request = held.request
    if isinstance(owner, asyncio.Task):
        own = request.own_task() if request is not None and request.own_task is not None else None
        is_child = owner is not own
        return not owner.done() if is_child or request is None else not request.has_ended
    if request is not None:
        return not request.has_ended
    return isinstance(owner, threading.Thread) and owner.is_alive()
