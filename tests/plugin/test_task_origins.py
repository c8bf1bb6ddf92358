"""Which tasks belong to a test: known by who has started them, and given back with the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from harness.capture.requests import ActiveLifespan, current_lifespan
from harness.loops import Residents
from harness.pytest_plugin.task_origins import TaskOrigins

Task = asyncio.Task[Any]


@pytest.fixture
async def origins() -> AsyncIterator[TaskOrigins]:
    """Of the tasks of the running loop, which are ended afterwards."""
    loop, before = asyncio.get_running_loop(), asyncio.all_tasks()
    origins = TaskOrigins()
    factory = loop.get_task_factory()
    origins.watch(loop)
    yield origins
    origins.forget(loop)
    assert loop.get_task_factory() is factory
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


def unfinished(origins: TaskOrigins, *, is_mine: bool = True) -> list[Task]:
    return origins.unfinished(asyncio.get_running_loop(), is_mine=lambda _: is_mine)


async def as_a_task(work: Callable[[], Coroutine[Any, Any, Task]]) -> Task:
    """What a task starts that has itself been started where it is known."""
    return await asyncio.create_task(work())


async def start() -> Task:
    return asyncio.create_task(asyncio.sleep(60))


async def test_a_task_that_a_test_has_started_is_the_tests(origins: TaskOrigins) -> None:
    with origins.one_test():
        started = await as_a_task(start)

        assert unfinished(origins) == [started]


async def test_one_that_has_ended_is_nobodys(origins: TaskOrigins) -> None:
    with origins.one_test():
        await asyncio.create_task(asyncio.sleep(0))

        assert unfinished(origins) == []


async def test_one_of_an_earlier_test_is_not_told_of_again(origins: TaskOrigins) -> None:
    with origins.one_test():
        await start()

    with origins.one_test():
        assert unfinished(origins) == []


async def test_what_a_wider_fixture_has_started_goes_on_starting(origins: TaskOrigins) -> None:
    go_on = asyncio.Event()

    async def work() -> Task:
        await go_on.wait()
        return await start()

    worker = await as_a_task(lambda: as_started(work))
    with origins.one_test():
        go_on.set()
        await worker

        assert unfinished(origins) == []


async def as_started(work: Callable[[], Coroutine[Any, Any, Task]]) -> Task:
    return asyncio.create_task(work())


async def test_what_is_started_outside_belongs_to_no_test(origins: TaskOrigins) -> None:
    with origins.one_test():
        with origins.outside():
            await start()

        assert unfinished(origins) == []


async def test_what_the_lifespan_starts_is_the_applications(origins: TaskOrigins) -> None:
    with origins.one_test():
        token = current_lifespan.set(ActiveLifespan())
        await start()
        current_lifespan.reset(token)

        assert unfinished(origins) == []


async def test_residents_are_no_tests(origins: TaskOrigins) -> None:
    residents = Residents()

    with origins.one_test():
        await residents.enter(asyncio.timeout(60))

        assert unfinished(origins) == []


async def test_what_a_library_starts_for_itself_is_left_alone(origins: TaskOrigins) -> None:
    with origins.one_test():
        await start()

        assert unfinished(origins, is_mine=False) == []


async def test_of_tasks_that_start_tasks_the_topmost_is_told(origins: TaskOrigins) -> None:
    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))

    with origins.one_test():
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)

        assert unfinished(origins) == [task]


async def test_a_factory_that_is_there_goes_on_making_the_tasks() -> None:
    class Special(asyncio.Task[Any]): ...

    def special(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Special:  # noqa: ANN401 - as asyncio gives it
        return Special(work, loop=loop, **options)

    loop, origins = asyncio.get_running_loop(), TaskOrigins()
    factory = loop.get_task_factory()
    loop.set_task_factory(special)
    origins.watch(loop)
    try:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
    finally:
        origins.forget(loop)
        assert loop.get_task_factory() is special
        loop.set_task_factory(factory)

    assert isinstance(task, Special)


async def test_a_factory_that_came_later_is_not_removed() -> None:
    loop, origins = asyncio.get_running_loop(), TaskOrigins()
    factory = loop.get_task_factory()
    origins.watch(loop)
    loop.set_task_factory(None)

    origins.forget(loop)

    assert loop.get_task_factory() is None
    loop.set_task_factory(factory)
