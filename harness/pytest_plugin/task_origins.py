"""Who started an asyncio task, and in which test: what asyncio itself does not keep.

Only what began it tells a worker that a test has forgotten from one of the application's lifespan:
both are just pending when the test ends, and children of either come and go (`asyncio.wait_for`
alone makes a task on Python 3.11). A task factory, the public way to be told of each task, notes
the task that was running then. Costs 2 µs for each task [measured].
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

import anyio

from harness import loops
from harness.capture.requests import current_lifespan

__all__ = ["TaskOrigins"]

Loop = asyncio.AbstractEventLoop
Task = asyncio.Task[Any]

# Whoever asks these for a task is the one who starts it.
_BETWEEN = (
    f"{Path(asyncio.__file__).parent}/",
    f"{Path(anyio.__file__).parent}/",
    __file__,
)


@dataclass(frozen=True, slots=True)
class _Origin:
    test: int
    """The number of the test that was running; 0 between tests."""
    parent: ref[Task] | None
    """None for a task that no task has started: a test, a fixture, a callback."""
    is_outside: bool
    """Whether it belongs to something that outlives the test, and rightly so."""
    file: str
    """Where the code is that started it."""


@dataclass(slots=True, eq=False)
class TaskOrigins:
    """Notes the origin of each task on the event loops that it watches."""

    _factories: WeakKeyDictionary[Loop, _NotingFactory] = field(default_factory=WeakKeyDictionary)
    _test: int = 0
    _number: int = 0
    _origins: WeakKeyDictionary[Task, _Origin] = field(default_factory=WeakKeyDictionary)

    @property
    def loops(self) -> list[Loop]:
        """The event loops that are watched."""
        return list(self._factories)

    @contextmanager
    def one_test(self) -> Iterator[None]:
        """What is started inside the block belongs to a test."""
        self._number += 1
        self._test = self._number
        try:
            yield
        finally:
            self._test = 0

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is started inside the block belongs to no test, though one is running."""
        test, self._test = self._test, 0
        try:
            yield
        finally:
            self._test = test

    def watch(self, loop: Loop) -> None:
        """Note the tasks of an event loop from now on."""
        if loop in self._factories:
            return
        factory = self._factories[loop] = _NotingFactory(self, loop.get_task_factory())
        loop.set_task_factory(factory)

    def forget(self, loop: Loop) -> None:
        """Leave an event loop as it was."""
        ours = self._factories.pop(loop, None)
        before = ours.before if ours is not None else None
        # Whoever has set another one since has it call ours, or wants ours to be gone.
        if loop.get_task_factory() is ours:
            loop.set_task_factory(before)

    def unfinished(self, loop: Loop, *, is_mine: Callable[[str], bool]) -> list[Task]:
        """The running test's tasks that nobody has ended, without those that they started.

        Args:
            loop: On which one.
            is_mine: Whether code of a file counts. What a library starts for itself is not the
                test's to end.
        """
        known = ((task, self._origins.get(task)) for task in asyncio.all_tasks(loop))
        found = {task: origin for task, origin in known if origin and self._is_of_test(origin)}
        mine = {task for task, origin in found.items() if is_mine(origin.file)}
        return [task for task in mine if not any(task_ in mine for task_ in self._above(task))]

    def note(self, task: Task, loop: Loop, options: dict[str, Any]) -> None:
        """Note where a task comes from; called as it is made."""
        parent, file = asyncio.current_task(loop), _starting_file()
        above = self._origins.get(parent) if parent is not None else None
        context = options.get("context")
        is_lifespan = current_lifespan.get() if context is None else context.get(current_lifespan)
        is_outside = file == loops.__file__ or is_lifespan or (above and self._is_outside(above))
        self._origins[task] = _Origin(
            self._test, ref(parent) if parent is not None else None, bool(is_outside), file
        )

    def _is_outside(self, above: _Origin) -> bool:
        """Whether what a task starts outlives the test, as the task itself.

        One that no task has started may well be older than the test: anyio runs all fixtures and
        tests of an event loop in one.
        """
        return above.is_outside or (above.parent is not None and above.test != self._test)

    def _is_of_test(self, origin: _Origin) -> bool:
        is_begun_by_a_task = origin.parent is not None
        return origin.test == self._test != 0 and is_begun_by_a_task and not origin.is_outside

    def _above(self, task: Task) -> Iterator[Task]:
        while (origin := self._origins.get(task)) is not None and origin.parent is not None:
            parent = origin.parent()
            if parent is None:
                return
            yield parent
            task = parent


@dataclass(frozen=True, slots=True)
class _NotingFactory:
    origins: TaskOrigins
    before: Callable[..., Any] | None
    """The factory that somebody else has set."""

    def __call__(self, loop: Loop, work: Any, /, **options: Any) -> Any:  # noqa: ANN401 - as given
        make = self.before
        task = (
            make(loop, work, **options)
            if make is not None
            else asyncio.Task(work, loop=loop, **options)
        )
        self.origins.note(task, loop, options)
        return task


def _starting_file() -> str:
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to a cheap stack
    while frame.f_code.co_filename.startswith(_BETWEEN):
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return frame.f_code.co_filename
