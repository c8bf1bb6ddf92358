"""Who asks for a connection and in which line: noted in microseconds, told later.

Beside `stacks`, which needs all of the user's frames to tell stacks apart: here the innermost is
enough, so the walk ends there. Taken for every checkout: which of them will not come back is only
known later.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any
from weakref import ref

import greenlet

from harness.capture.pool_state import Held, Origin
from harness.capture.source import SourceMap
from harness.capture.stacks import Boundary, Owner, Stack
from harness.findings import SourceLine

__all__ = ["Origins", "is_running"]

_MOST_FRAMES = 60
"""From the pool to the user's line: 12 with a `Session`, 20 with an `AsyncSession`."""


@dataclass(slots=True, eq=False)
class Origins:
    """Notes origins.

    Args:
        source: Tells the user's lines from others.
    """

    source: SourceMap

    def here(self) -> Origin:
        """The task or thread that runs, and the user's line that it is at."""
        frame = self._innermost(sys._getframe(1))  # noqa: SLF001 - the documented way
        if frame is None:
            return Origin(_owner())
        return Origin(_owner(), frame.f_code, frame.f_lasti)

    def line(self, origin: Origin) -> SourceLine | None:
        """The user's line."""
        if origin.code is None:
            return None
        stack = Stack((origin.code,), (origin.offset,), Boundary.NOWHERE, passage=None)
        return self.source.explained(stack).site

    def _innermost(self, first: FrameType | None) -> FrameType | None:
        owner_of, find = self.source.owners.get, self.source.owner
        user, library = Owner.USER, Owner.LIBRARY  # looking them up takes as long as a frame
        frame, current = first, None
        for _ in range(_MOST_FRAMES):
            if frame is None:
                # SQLAlchemy's asyncio extension connects in a greenlet, below the one that awaits.
                current = (current or greenlet.getcurrent()).parent
                if current is None:
                    return None
                frame = current.gr_frame
                continue
            name = frame.f_code.co_filename
            owner: Any = owner_of(name) or find(name)
            if owner is not library:
                if owner is user:
                    return frame
                if isinstance(owner.get(frame.f_code.co_name), Boundary):
                    return None
            frame = frame.f_back
        return None


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


def _owner() -> Any:  # noqa: ANN401 - a reference to either
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without a loop
        task = None
    return ref(task if task is not None else threading.current_thread())
