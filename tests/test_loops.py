"""Contexts that live as long as an event loop: entered once, left in order, on every path."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest

from harness.errors import SyncInAsyncError
from harness.loops import LoopThread, Residents

colour: ContextVar[str] = ContextVar("colour", default="none")


@dataclass
class Diary:
    """Notes what is entered and left."""

    lines: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def context(self, name: str) -> AsyncIterator[str]:
        self.lines.append(f"enter {name}")
        try:
            yield name
        finally:
            await asyncio.sleep(0)  # leaving may await
            self.lines.append(f"leave {name}")


@asynccontextmanager
async def failing(divisor: int = 0) -> AsyncIterator[float]:
    yield 1 / divisor


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_a_context_stays_open_between_runs_of_its_loop(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as runner:
        entered = runner.run(residents.enter(diary.context("one")))
        runner.run(asyncio.sleep(0))

        assert entered == "one"
        assert diary.lines == ["enter one"]


def test_contexts_are_left_in_reverse_order_when_the_loop_ends(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as runner:
        runner.run(residents.enter(diary.context("one")))
        runner.run(residents.enter(diary.context("two")))

    assert diary.lines == ["enter one", "enter two", "leave two", "leave one"]


def test_closing_leaves_the_contexts_of_an_idle_loop(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as runner:
        runner.run(residents.enter(diary.context("one")))

        residents.close()

        assert diary.lines == ["enter one", "leave one"]


def test_closing_twice_is_harmless(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as runner:
        runner.run(residents.enter(diary.context("one")))
        residents.close()

        residents.close()

    assert diary.lines == ["enter one", "leave one"]


def test_a_loop_may_be_used_again_after_closing(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as runner:
        runner.run(residents.enter(diary.context("one")))
        residents.close()

        runner.run(residents.enter(diary.context("two")))

    assert diary.lines == ["enter one", "leave one", "enter two", "leave two"]


def test_each_loop_has_its_own_contexts(diary: Diary) -> None:
    residents = Residents()
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(residents.enter(diary.context("first")))
        second.run(residents.enter(diary.context("second")))
        second.close()

        assert diary.lines == ["enter first", "enter second", "leave second"]


def test_an_error_on_entering_reaches_whoever_asked() -> None:
    residents = Residents()
    with asyncio.Runner() as runner, pytest.raises(ZeroDivisionError):
        runner.run(residents.enter(failing()))


def test_after_an_error_others_can_be_entered(diary: Diary) -> None:
    async def enter_both() -> str:
        with pytest.raises(ZeroDivisionError):
            await residents.enter(failing())
        return await residents.enter(diary.context("one"))

    residents = Residents()
    with asyncio.Runner() as runner:
        assert runner.run(enter_both()) == "one"


def test_a_context_is_left_at_once_if_whoever_asked_was_cancelled(diary: Diary) -> None:
    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        async with diary.context("slow"):
            is_entering.set()
            await may_enter.wait()
            yield

    async def cancel_and_enter_another() -> None:
        asking = asyncio.create_task(residents.enter(slow()))
        await is_entering.wait()
        asking.cancel()
        await asyncio.wait([asking])
        may_enter.set()
        await residents.enter(diary.context("next"))

    is_entering, may_enter = asyncio.Event(), asyncio.Event()
    residents = Residents()
    with asyncio.Runner() as runner:
        runner.run(cancel_and_enter_another())

        assert diary.lines == ["enter slow", "leave slow", "enter next"]


def test_a_context_does_not_inherit_the_variables_of_who_asked_first() -> None:
    @asynccontextmanager
    async def seeing() -> AsyncIterator[str]:
        yield colour.get()

    async def ask() -> str:
        colour.set("red")
        return await residents.enter(seeing())

    residents = Residents()
    with asyncio.Runner() as runner:
        assert runner.run(ask()) == "none"


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    with closing(LoopThread(instead="await it")) as loop:
        yield loop


async def thread_name() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_a_loop_thread_runs_coroutines_one_after_the_other_on_one_loop(
    loop_thread: LoopThread,
) -> None:
    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert loop_thread.run(running()) is loop_thread.run(running())
    assert loop_thread.run(thread_name()) == "harness loop"


def test_a_loop_thread_hands_on_what_a_coroutine_raises(loop_thread: LoopThread) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop_thread.run(fail())


def test_a_coroutine_on_a_loop_thread_begins_with_a_copy_of_the_callers_context(
    loop_thread: LoopThread,
) -> None:
    async def change() -> str:
        before = colour.get()
        colour.set("blue")
        return before

    token = colour.set("red")
    seen = [loop_thread.run(change()) for _ in range(2)]
    colour.reset(token)

    assert seen == ["red", "red"]


def test_a_loop_thread_that_was_not_used_was_never_started() -> None:
    before = set(threading.enumerate())

    with closing(LoopThread()):
        assert set(threading.enumerate()) <= before


def test_a_loop_thread_ends_with_its_residents_left_in_order(diary: Diary) -> None:
    residents, before = Residents(), set(threading.enumerate())
    with closing(LoopThread()) as loop:
        loop.run(residents.enter(diary.context("outer")))
        loop.run(residents.enter(diary.context("inner")))

    assert diary.lines == ["enter outer", "enter inner", "leave inner", "leave outer"]
    assert set(threading.enumerate()) <= before


def test_a_closed_loop_thread_starts_anew(loop_thread: LoopThread) -> None:
    loop_thread.run(thread_name())
    loop_thread.close()

    assert loop_thread.run(thread_name()) == "harness loop"


async def test_a_loop_thread_refuses_a_caller_that_runs_on_a_loop(loop_thread: LoopThread) -> None:
    with pytest.raises(SyncInAsyncError) as caught:
        loop_thread.run(thread_name())
    assert caught.value.remedy == "await it"
