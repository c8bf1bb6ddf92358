"""The user's part of a call stack, taken in microseconds and explained later.

While a statement runs only the frames' code objects and positions are noted, and equal stacks are
one object: lines, functions and texts are looked up when somebody asks. Walking outwards stops at
the framework: beyond FastAPI's call of the endpoint there are only middleware and, under an
in-process client, the test that sent the request, and blaming either would be confidently wrong.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from harness.capture.source import SourceMap

__all__ = [
    "Boundary",
    "Owner",
    "Passage",
    "Stack",
    "StackBook",
    "boundaries_of",
    "runs_application",
]


class Boundary(Enum):
    """Where walking outwards ended."""

    HANDLER = auto()
    DEPENDENCY = auto()
    SERIALISATION = auto()
    BACKGROUND = auto()
    ROUTE = auto()
    """FastAPI's own frame around all of them: what it calls by itself are clean-ups."""
    MIDDLEWARE = auto()
    """Starlette's ``BaseHTTPMiddleware``; what it wraps runs in another task."""
    REQUEST = auto()
    """Our wrapper of the application: a middleware, or an endpoint without FastAPI."""
    THREAD = auto()
    """The bottom of a worker thread: who sent the work there is not on the stack."""
    LOOP = auto()
    """The bottom of a task."""
    TEST = auto()
    NOWHERE = auto()


class Passage(Enum):
    """What the framework's frames next to the boundary were doing."""

    ENTERING = auto()
    LEAVING = auto()
    SERIALISING = auto()


class Owner(Enum):
    """Whose file it is, where the framework has no say in it."""

    USER = auto()
    LIBRARY = auto()


# From a listener outwards: the dispatch of the event, the execution of a cursor and of a context,
# and then, for what has been compiled, two more below `Connection.execute`, where the greenlet of
# an `AsyncConnection` ends.
_DISPATCH, _EXECUTE = 3, 5

_FASTAPI: Mapping[str, Mapping[str, Boundary | Passage]] = {
    "/fastapi/routing.py": {
        "run_endpoint_function": Boundary.HANDLER,
        "_run_sync_endpoint": Boundary.HANDLER,  # of newer FastAPI, in the worker thread
        "serialize_response": Boundary.SERIALISATION,
        "app": Boundary.ROUTE,
    },
    "/fastapi/telemetry/_api.py": {
        "run_endpoint_function": Boundary.HANDLER,
        "_run_sync_endpoint": Boundary.HANDLER,
        "serialize_response": Boundary.SERIALISATION,
    },
    "/fastapi/dependencies/utils.py": {"solve_dependencies": Boundary.DEPENDENCY},
    "/fastapi/_compat.py": {"validate": Passage.SERIALISING, "serialize": Passage.SERIALISING},
    "/fastapi/_compat/v2.py": {
        "validate": Passage.SERIALISING,
        "serialize": Passage.SERIALISING,
        "serialize_json": Passage.SERIALISING,
    },
    "/starlette/background.py": {"__call__": Boundary.BACKGROUND},
    "/starlette/endpoints.py": {"dispatch": Boundary.HANDLER},  # of an endpoint that is a class
    "/starlette/middleware/base.py": {"__call__": Boundary.MIDDLEWARE},
    "/anyio/_backends/_asyncio.py": {"run": Boundary.THREAD},
    "/concurrent/futures/thread.py": {"run": Boundary.THREAD},
    "/asyncio/events.py": {"_run": Boundary.LOOP},
    "/contextlib.py": {
        "__enter__": Passage.ENTERING,
        "__aenter__": Passage.ENTERING,
        "__exit__": Passage.LEAVING,
        "__aexit__": Passage.LEAVING,
    },
    "/_pytest/python.py": {"pytest_pyfunc_call": Boundary.TEST},
}


def boundaries_of(path: str) -> Mapping[str, Boundary | Passage] | None:
    """The functions of a library's file at which walking outwards takes note or ends."""
    for ending, names in _FASTAPI.items():
        if path.endswith(ending):
            return names
    return None


def runs_application(task: asyncio.Task[Any]) -> bool:
    """Whether Starlette's ``BaseHTTPMiddleware`` has started the task, to run what it wraps."""
    return task.get_name().startswith("starlette.middleware.base.")  # anyio names it so


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The user's frames of one stack, innermost first."""

    codes: tuple[CodeType, ...]
    offsets: tuple[int, ...]
    """Of the instruction that each was executing."""
    boundary: Boundary
    passage: Passage | None


@dataclass(slots=True, eq=False)
class StackBook:
    """Takes stacks; equal ones are one object."""

    source: SourceMap
    _stacks: dict[tuple[int, ...], Stack] = field(default_factory=dict)

    def take(self, frame: FrameType | None) -> Stack:
        """The user's part of the stack from a frame outwards."""
        return self.taking()(frame)

    def taking(self) -> Callable[[FrameType | None], Stack]:
        """The function that takes stacks.

        One function that finds everything in its own scope, because it runs for each statement.
        It follows SQLAlchemy's greenlets: the asyncio extension runs the driver in one of its own,
        whose stack ends inside SQLAlchemy, and the awaiting coroutines hang on the parent.
        """
        owner_of, find, get_current = self.source.owners.get, self.source.owner, greenlet.getcurrent
        stack_of, new = self._stacks.get, self._new
        user, library, boundary_class = Owner.USER, Owner.LIBRARY, Boundary

        def take(first: FrameType | None) -> Stack:
            key: list[int] = []
            frame, current = first, None
            boundary: Boundary | None = None
            passage: Passage | None = None
            while True:
                while frame is not None:
                    code = frame.f_code
                    owner: Any = owner_of(code.co_filename) or find(code.co_filename)
                    if owner is user:
                        key.append(id(code))
                        key.append(frame.f_lasti)
                        passage = None
                    elif owner is not library:
                        mark = owner.get(code.co_name)
                        if mark.__class__ is boundary_class:
                            boundary = mark
                            break
                        passage = mark or passage
                    frame = frame.f_back
                if boundary is not None:
                    key.append(id(boundary))
                    break
                current = (current or get_current()).parent
                if current is None:
                    break
                frame = current.gr_frame
            if passage is not None:
                key.append(id(passage))
            identity = tuple(key)
            return stack_of(identity) or new(identity, first, boundary, passage)

        return take

    def _new(
        self,
        identity: tuple[int, ...],
        frame: FrameType | None,
        boundary: Boundary | None,
        passage: Passage | None,
    ) -> Stack:
        count = (len(identity) - (boundary is not None) - (passage is not None)) // 2
        codes = self._codes(frame, count)
        offsets = identity[1 : 2 * count : 2]
        # The stack keeps its code objects alive, so that no other can get one of these ids.
        stack = Stack(codes, offsets, boundary or Boundary.NOWHERE, passage)
        self._stacks[identity] = stack
        return stack

    def depth(self, frame: FrameType | None) -> int:
        """At which depth, from a listener, the first frame is that may be the user's.

        Stepping over them costs nothing, walking through them 0.3 microseconds each. Another
        execution of the same statement may come by a shorter way, but not by one without these.
        """
        own = 0
        while frame is not None and self.source.owner(frame.f_code.co_filename) is Owner.LIBRARY:
            own += 1
            frame = frame.f_back
        return 1 + (_EXECUTE if own > _EXECUTE else min(own, _DISPATCH))

    def _codes(self, frame: FrameType | None, count: int) -> tuple[CodeType, ...]:
        """The code objects of the first so many frames of the user's."""
        current: greenlet.greenlet | None = None
        codes: list[CodeType] = []
        while len(codes) < count:
            while frame is None:
                current = (current or greenlet.getcurrent()).parent
                if current is None:
                    return tuple(codes)
                frame = current.gr_frame
            if self.source.owner(frame.f_code.co_filename) is Owner.USER:
                codes.append(frame.f_code)
            frame = frame.f_back
        return tuple(codes)


def here() -> FrameType:
    """The frame of whoever calls the caller."""
    return sys._getframe(2)  # noqa: SLF001 - the documented way to a cheap stack
