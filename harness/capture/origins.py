"""Who asks for a connection and in which line: noted in microseconds, told later.

Beside `stacks`, which needs all of the user's frames to tell stacks apart: here the innermost is
enough, so the walk ends there.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from types import FrameType
from typing import Any
from weakref import ref

import greenlet

from harness.capture.pool_state import Held
from harness.capture.source import SourceMap
from harness.capture.stacks import Boundary, Owner, Stack
from harness.findings import SourceLine

__all__ = ["innermost_of_user", "is_running", "line_of", "note_line", "note_owner"]


def note_owner(asking: Held) -> None:
    """Note the task that asks for a connection, or the thread where there is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without a loop
        task = None
    asking.owner = ref(task) if task is not None else ref(threading.current_thread())


def note_line(asking: Held, source: SourceMap) -> None:
    """Note the user's line that asks for a connection."""
    frame = innermost_of_user(source, sys._getframe())  # noqa: SLF001 - the documented way
    if frame is not None:
        asking.code, asking.offset = frame.f_code, frame.f_lasti


def line_of(held: Held, source: SourceMap) -> SourceLine | None:
    """The user's line, where it was noted."""
    if held.code is None:
        return None
    stack = Stack((held.code,), (held.offset,), Boundary.NOWHERE, passage=None)
    return source.explained(stack).site


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
    owner = held.owner() if held.owner is not None else None
    request = held.request
    if isinstance(owner, asyncio.Task):
        own = request.own_task() if request is not None and request.own_task is not None else None
        is_child = owner is not own
        return not owner.done() if is_child or request is None else not request.has_ended
    if request is not None:
        return not request.has_ended
    return isinstance(owner, threading.Thread) and owner.is_alive()
