"""Where a request stands while a task or a thread of its works: told by what its own task awaits.

The stack of a task ends at the event loop, and that of a worker thread in the thread pool: on
neither are FastAPI's functions, which tell the step. But the task in which the request came is
suspended meanwhile, in the handler, in a dependency or in a background task, and a suspended
coroutine shows what it awaits. Starlette's ``BaseHTTPMiddleware`` runs the rest of the application
in another task, of a task group of anyio, which tells whose child a task is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from harness.capture.stacks import Boundary, Owner, Passage, Stack

if TYPE_CHECKING:
    from harness.capture.requests import ActiveRequest
    from harness.capture.source import SourceMap

__all__ = ["AwaitedStacks"]

_Frames = list[tuple[CodeType, int]]

_TRIES = 3
"""A thread sees the loop's thread change between two looks."""

_AWAITED = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
_STEPS = frozenset(
    {
        Boundary.HANDLER,
        Boundary.DEPENDENCY,
        Boundary.SERIALISATION,
        Boundary.BACKGROUND,
        Boundary.ROUTE,
    }
)


@dataclass(slots=True, eq=False)
class AwaitedStacks:
    """Takes the stacks of suspended tasks; equal ones are one object."""

    source: SourceMap
    _stacks: dict[tuple[object, ...], Stack] = field(default_factory=dict)

    def meanwhile(self, stack: Stack, request: ActiveRequest | None) -> Stack | None:
        """What the request's own task awaits, where the stack of what runs does not tell."""
        is_at_bottom = stack.boundary is Boundary.LOOP or (
            stack.boundary is Boundary.THREAD and stack.passage is None
        )
        if request is None or request.own_task is None or not is_at_bottom:
            return None
        task, found = request.own_task(), None
        for _ in range(_TRIES):
            if task is None or task.done():
                return None
            found = self._of(_frames_of(task, request.own_thread))
            if found.boundary is Boundary.MIDDLEWARE:
                return self._below(task, found)
            if found.boundary is not Boundary.NOWHERE:
                break
        return found

    def _below(self, task: asyncio.Task[Any], own: Stack) -> Stack:
        """The step that a task tells which a middleware's task has started."""
        for coroutine in _started_by(task):
            found = self._of(_suspended(coroutine))
            if found.boundary in _STEPS:
                return found
        return own

    def _of(self, frames: _Frames) -> Stack:
        users: _Frames = []
        boundary, passage = Boundary.NOWHERE, None
        for code, offset in frames:
            owner: Any = self.source.owner(code.co_filename)
            if owner is Owner.USER:
                users.append((code, offset))
                passage = None
            elif owner is not Owner.LIBRARY:
                mark = owner.get(code.co_name)
                if isinstance(mark, Boundary):
                    boundary = mark
                    break
                passage = mark or passage
        return self._known(users, boundary, passage)

    def _known(self, users: _Frames, boundary: Boundary, passage: Passage | None) -> Stack:
        identity = (*users, boundary, passage)
        stack = self._stacks.get(identity)
        if stack is None:
            codes, offsets = tuple(code for code, _ in users), tuple(at for _, at in users)
            stack = self._stacks[identity] = Stack(codes, offsets, boundary, passage)
        return stack


def _frames_of(task: asyncio.Task[Any], thread: int) -> _Frames:
    """Frames of a task, innermost first."""
    if asyncio.current_task(task.get_loop()) is not task:
        return _suspended(task.get_coro())
    # A thread that it has just started may run before the task is suspended.
    frames, frame = [], sys._current_frames().get(thread)  # noqa: SLF001 - documented
    while frame is not None:
        frames.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return frames


def _suspended(coroutine: object) -> _Frames:
    """Frames of a coroutine and of what it awaits, innermost first."""
    awaited: Any = coroutine
    frames: _Frames = []
    while awaited is not None:
        names = next((names for names in _AWAITED if hasattr(awaited, names[0])), None)
        if names is None:
            break  # a future, or what does not tell
        frame: FrameType | None = getattr(awaited, names[0])
        if frame is not None:
            frames.append((frame.f_code, frame.f_lasti))
        awaited = getattr(awaited, names[1])
    frames.reverse()
    return frames


def _started_by(task: asyncio.Task[Any]) -> Iterator[object]:
    """The coroutines of the tasks that a task has started in groups of anyio, and of theirs."""
    anyio = sys.modules.get("anyio")  # whoever has Starlette has it; the harness needs neither
    if anyio is None or not _is_on_a_loop():
        return  # nobody tells in a worker thread
    everyone = anyio.get_running_tasks()
    family = [id(task)]
    for parent in family:
        for info in everyone:
            if info.parent_id == parent and info.id not in family:
                family.append(info.id)
                yield info.coro


def _is_on_a_loop() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - listed in asyncio.__all__
