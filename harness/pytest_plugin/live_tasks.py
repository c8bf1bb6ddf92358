"""A task that a test has started and that still runs at its end is an error that names it.

What it does from then on happens after the test has been undone: its rows are refused or lost, its
failure meets nobody or the next test. Looked for where a test uses the database, when all its
fixtures have been torn down and before its transaction is rolled back: at the end of a loop that
ends with the test, otherwise at the end of `harness_isolation`. What is found is cancelled.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType
from typing import Any

import pytest

from harness.capture.source import SourceMap
from harness.capture.stacks import Owner
from harness.config import Project, load_project
from harness.errors import EscapeWarning, UnfinishedTaskError
from harness.pytest_plugin.task_origins import TaskOrigins

__all__ = ["LiveTasks", "live_tasks"]

_KEY = pytest.StashKey["LiveTasks"]()
_TURNS = 5
"""Of the loop, for what needs nothing else to end."""
_CANCEL_SECONDS = 1.0
_MOST_NAMED = 5
_INSIDE = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


@dataclass(eq=False)
class LiveTasks:
    """Looks for the tasks that outlive their test.

    Args:
        config: Of the run; its root is where the user's lines are.
    """

    config: pytest.Config
    origins: TaskOrigins = field(default_factory=TaskOrigins)
    _counts: Callable[[], bool] = lambda: False
    """Whether the running test uses the database."""
    _found: list[str] = field(default_factory=list)

    @contextmanager
    def one_test(self, *, uses_database: Callable[[], bool]) -> Iterator[None]:
        """Look, at the end of the block, for what was started inside it."""
        self._counts = uses_database
        with self.origins.one_test():
            yield
            for loop in self.origins.loops:
                self.look_on(loop)

    def look_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for tasks on one loop, and cancel them."""
        if loop.is_closed() or not self._counts():
            return
        if self.origins.unfinished(loop, is_mine=self._is_mine):
            self._found += _run_on(loop, self._ended(loop))

    def take_found(self) -> list[UnfinishedTaskError]:
        """What was found since this was last asked; warned of, if that is the policy."""
        found, self._found = self._found, []
        if not found:
            return []
        error = _error(found)
        if self._project.configuration.escape == "error":
            return [error]
        warnings.warn(str(error), EscapeWarning, stacklevel=2)
        return []

    async def _ended(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        tasks = self.origins.unfinished(loop, is_mine=self._is_mine)
        ending = [task for task in tasks if task.cancelling()]
        if ending:  # by a fixture that does not wait for it
            await asyncio.wait(ending, timeout=_CANCEL_SECONDS)
        tasks = [task for task in tasks if not task.done()]
        told = sorted(map(self._told, tasks))
        for task in tasks:
            task.cancel()
        if tasks:
            done, _ = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
            for task in done:
                _ = task.cancelled() or task.exception()  # seen: nobody else will ask for it
        return told

    def _told(self, task: asyncio.Task[Any]) -> str:
        work = task.get_coro()
        name = getattr(work, "__qualname__", repr(work))
        mine = [frame for frame in _frames(work) if self._is_mine(frame.f_code.co_filename)]
        if not mine:
            return f"{task.get_name()}: {name}"
        line = self._source.line(mine[-1].f_code, mine[-1].f_lineno)
        return f"{task.get_name()}: {name} waits at {line}  {line.code}"

    def _is_mine(self, file: str) -> bool:
        return self._source.owner(file) is Owner.USER

    @cached_property
    def _project(self) -> Project:
        return load_project(self.config.rootpath)

    @cached_property
    def _source(self) -> SourceMap:
        return SourceMap(self._project.root, self._project.configuration.app_packages)


def live_tasks(config: pytest.Config) -> LiveTasks:
    """What looks for tasks in this run."""
    return config.stash[_KEY]


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Watch from the start: a loop may be older than the first test that uses the database."""
    config.stash[_KEY] = LiveTasks(config)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Watch the loop of any fixture that is a runner; what wider fixtures start may stay."""
    live = live_tasks(request.config)
    if fixturedef.scope == "function":
        value = yield
    else:
        with live.origins.outside():
            value = yield
    if isinstance(value, asyncio.Runner):
        _watch(live, value.get_loop(), request)
    return value


def _watch(
    live: LiveTasks, loop: asyncio.AbstractEventLoop, request: pytest.FixtureRequest
) -> None:
    def end() -> None:
        live.look_on(loop)
        live.origins.forget(loop)

    live.origins.watch(loop)
    # The first to be added is the last to be called before the runner's own: whatever uses the
    # loop has been torn down.
    request.addfinalizer(end)


def _error(found: Sequence[str]) -> UnfinishedTaskError:
    count = len(found)
    named = [f"  {task}" for task in found[:_MOST_NAMED]]
    if count > len(named):
        named.append(f"  and {count - len(named)} more")
    what = "a task that the test started" if count == 1 else f"{count} tasks that the test started"
    return UnfinishedTaskError(
        f"{what} still ran when it ended, and {'was' if count == 1 else 'were'} cancelled:",
        where="\n".join(named),
        remedy="await or cancel it where it is started (asyncio.TaskGroup does); what shall go on "
        "after a response belongs into BackgroundTasks, what runs as long as the application into "
        "its lifespan",
    )


def _run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, list[str]]) -> list[str]:
    if loop.is_running():
        return asyncio.run_coroutine_threadsafe(work, loop).result()
    return loop.run_until_complete(work)


def _frames(work: object) -> Iterator[FrameType]:
    """Where a coroutine waits, and what it waits for, and so on inwards."""
    while work is not None:
        for frame_name, next_name in _INSIDE:
            frame = getattr(work, frame_name, None)
            if frame is not None:
                yield frame
                work = getattr(work, next_name)
                break
        else:
            return
