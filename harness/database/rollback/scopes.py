"""Whose a transaction is: the test's own, or that of a request, a task or a thread in it.

One connection serves them all, so transactions of different scopes take turns, and one that begins
inside its own scope's nests. A module of its own because nothing says which task is the test's: the
one that runs its function is, and everything else that it has started works for itself.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from anyio.from_thread import check_cancelled

from harness.capture.requests import (
    ActiveRequest,
    current_lifespan,
    current_request,
)
from harness.capture.sockets import current_socket
from harness.capture.source import SourceMap
from harness.findings import SourceLine
from harness.loops import calling_thread

__all__ = ["Scope", "Scopes", "TestBody"]

_innermost: ContextVar[Scope | None] = ContextVar("innermost", default=None)
"""The task of the test in whose context the code runs, as far as it has begun transactions."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whoever begins transactions inside a test; the test itself is None."""

    key: ActiveRequest | asyncio.Task[Any] | threading.Thread
    who: str = field(compare=False)
    """For messages: ``"GET /users"``."""
    around: Scope | None = field(default=None, compare=False)
    """The one that has started it, if that is known, and is not the test."""
    is_joined: bool = field(default=False, compare=False)
    """Whether who has started it cannot end before it."""

    def keeps_out(self, other: Scope | None) -> bool:
        """Whether another has to wait for the end of a transaction of this one."""
        if self._is_over or (other is not None and other.is_within(self)):
            return False
        if isinstance(self.key, threading.Thread):
            # One of a pool lives on with whatever its last work has left open.
            return other is not None and isinstance(other.key, threading.Thread)
        return not self.is_joined_to(other)

    def is_within(self, other: Scope) -> bool:
        """Whether it is the other, or was started inside of it."""
        return self == other or (self.around is not None and self.around.is_within(other))

    def is_joined_to(self, other: Scope | None) -> bool:
        """Whether another, or the test, cannot end before it, and may be waiting for it."""
        if not self.is_joined:
            return False
        around = self.around
        return around == other or (around is not None and around.is_joined_to(other))

    @property
    def _is_over(self) -> bool:
        match self.key:
            case asyncio.Task():
                return self.key.done()
            case threading.Thread():
                return not self.key.is_alive()
            case _:
                return False


@dataclass(frozen=True, slots=True)
class TestBody:
    """By what a test is known among the tasks and threads that it starts."""

    __test__ = False  # not a class of tests

    code: CodeType | None
    """Of its function."""
    thread: threading.Thread = field(default_factory=threading.current_thread)

    @classmethod
    def of(cls, function: Any) -> TestBody:
        """What the calling thread is about to run."""
        return cls(getattr(inspect.unwrap(function), "__code__", None))


@dataclass(slots=True, eq=False)
class Scopes:
    """Tells the scopes of one test after the other apart.

    Args:
        source: Tells the user's lines from others; without it conflicts name no lines.
    """

    source: SourceMap | None = None
    _body: TestBody | None = None
    _main: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Any]] = field(
        default_factory=WeakKeyDictionary
    )

    def begin_test(self, body: TestBody | None) -> None:
        """Another test is about to run.

        Args:
            body: Without it, everything outside of requests is the test's.
        """
        self._body = body
        self._main.clear()

    def line(self) -> SourceLine | None:
        """The user's line that is being run."""
        return self.source.stack().site if self.source is not None else None

    def of_task(self) -> Scope | None:
        """Who begins a transaction of a driver that is awaited."""
        return self._here(self._task_here)

    def of_thread(self) -> Scope | None:
        """Who begins a transaction of a driver that blocks."""
        return self._here(self._thread_here)

    def _here(self, otherwise: Callable[[], Scope | None]) -> Scope | None:
        request = current_request.get()
        if request is not None:
            thread = calling_thread.get()
            around = _innermost.get() or (self._of(thread) if thread is not None else None)
            scope: Any = request.scope
            return Scope(request, f"{scope['method']} {scope['path']}", around)
        if current_lifespan.get() is not None or current_socket.get() is not None:
            return None  # they last, and tests look at what they do meanwhile
        return otherwise()

    def _thread_here(self) -> Scope | None:
        if _is_on_a_loop() or _is_of_anyio():
            return None  # a loop's tasks cannot wait for one another; an application's threads
        return self._of(threading.current_thread())

    def _of(self, thread: threading.Thread) -> Scope | None:
        if self._body is None or thread is self._body.thread:
            return None
        return Scope(thread, f"the thread {thread.name!r}")

    def _task_here(self) -> Scope | None:
        thread = calling_thread.get()
        if thread is not None:
            return self._of(thread)
        task = asyncio.current_task()
        main = self._main_task(task)
        if task is None or main is None or task is main:
            return None
        known = _innermost.get()
        if known is None or known.key is not task:
            known = _begun(task, known, main)
            _innermost.set(known)
        return known

    def _main_task(self, here: asyncio.Task[Any] | None) -> asyncio.Task[Any] | None:
        """The task that runs the test's function; None while a fixture runs, or a `def` test."""
        loop, code = asyncio.get_running_loop(), self._body.code if self._body else None
        known = self._main.get(loop)
        if known is None and code is not None and here is not None:
            if code in _codes_here(here):
                known = here
            else:
                others = (task for task in asyncio.all_tasks() if task is not here)
                known = next((task for task in others if code in _codes_awaited(task)), None)
            if known is not None:
                self._main[loop] = known
        return known


def _begun(task: asyncio.Task[Any], known: Scope | None, main: asyncio.Task[Any]) -> Scope:
    """The scope of a task that begins its first transaction.

    The context of a task knows a scope above it. Which task has started it is known of those in
    task groups of anyio only, as Starlette's middleware has them: there the two take no turns.
    """
    parent = anyio.get_current_task().parent_id
    is_joined = parent is not None and parent in {id(main), id(known.key) if known else None}
    if parent is not None and not is_joined:
        found = next((other for other in asyncio.all_tasks() if id(other) == parent), None)
        if found is not None:
            known, is_joined = Scope(found, _named(found), known), True
    return Scope(task, _named(task), known, is_joined)


def _named(task: asyncio.Task[Any]) -> str:
    function = getattr(task.get_coro(), "__qualname__", "")
    return f"the task {task.get_name()!r} ({function})"


def _codes_awaited(task: asyncio.Task[Any]) -> Iterator[CodeType]:
    """The functions that a task is in, while it waits."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        code = getattr(awaited, "cr_code", None)
        if code is not None:
            yield code
        awaited = getattr(awaited, "cr_await", None)


def _codes_here(task: asyncio.Task[Any]) -> Iterator[CodeType]:
    """The functions that the running task is in."""
    outermost, frame = getattr(task.get_coro(), "cr_frame", None), inspect.currentframe()
    while frame is not None:
        yield frame.f_code
        frame = None if frame is outermost else frame.f_back


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_of_anyio() -> bool:
    """Whether this thread works for a task: as Starlette has sync endpoints work."""
    try:
        check_cancelled()
    except RuntimeError:
        return False
    except asyncio.CancelledError:
        return True
    return True
