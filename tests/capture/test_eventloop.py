"""The watch over an event loop: what blocked it, where, and what did not."""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import greenlet_spawn

from harness.capture.eventloop import LoopWatch
from harness.capture.source import SourceMap
from harness.capture.windows import Stall, StallCause

PATIENCE_SECONDS = 10.0


class Looks:
    """How often the watch has looked at the loop: it asks for the route each time."""

    def __init__(self) -> None:
        self.count = 0

    def route_of(self, _frame: FrameType) -> str:
        self.count += 1
        return "GET /slow"

    def enough(self) -> int:
        """More often at what goes on from now on than at all before: a busy machine is slow."""
        return 2 * self.count + 5

    def pause(self) -> None:
        """Stand still until there were enough, and for 0.3 s."""
        enough, began = self.enough(), time.perf_counter()
        time.sleep(0.3)
        while self.count < enough and time.perf_counter() - began < PATIENCE_SECONDS:
            time.sleep(0.01)


async def watched(blocks: Callable[[Looks], object]) -> list[Stall]:
    """What the watch says of a call that blocks the loop, the longest first.

    A busy machine adds stalls of its own, short ones without a line of ours.
    """
    looks = Looks()
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=looks.route_of)
    with watch.watching():
        await asyncio.sleep(0)
        blocks(looks)
        await told(watch)
    return watch.stalls()


async def told(watch: LoopWatch, *, count: int = 1) -> None:
    """Until the watch has heard of the end of so many stalls that are not a busy machine's."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(each.count for each in watch.stalls() if each.longest_seconds > 0.2) < count:  # noqa: ASYNC110 - its thread sets no event
            await asyncio.sleep(0.02)


def spin(looks: Looks) -> int:
    enough, began, turns = looks.enough(), time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < PATIENCE_SECONDS:
        if seconds >= 0.3 and looks.count >= enough:
            break
        turns += 1
    return turns


def sleep_in_a_query(looks: Looks) -> None:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def add_pause(connection: object, _record: object) -> None:
        connection.create_function("pause", 0, looks.pause)  # type: ignore[attr-defined]

    with engine.connect() as connection:
        connection.execute(text("SELECT pause()"))
    engine.dispose()


def wait_for_the_pool(looks: Looks) -> None:
    engine = create_engine(
        "sqlite:///:memory:",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        connect_args={"check_same_thread": False},
    )
    held = engine.connect()

    def give_back() -> None:
        looks.pause()
        held.close()

    with ThreadPoolExecutor() as threads:
        giving = threads.submit(give_back)
        engine.connect().close()
        giving.result()
    engine.dispose()


async def test_code_that_runs_on_the_loop_is_blamed_by_its_function() -> None:
    stall = (await watched(spin))[0]

    assert (stall.cause, stall.count) == (StallCause.OTHER, 1)
    assert stall.site is not None
    assert (stall.site.path, stall.site.function) == ("test_eventloop.py", "spin")
    assert 0.2 < stall.longest_seconds == stall.seconds


async def test_a_sync_drivers_wait_is_told_from_other_code() -> None:
    stall = (await watched(sleep_in_a_query))[0]

    assert stall.cause is StallCause.SYNC_SQL


async def test_a_sync_pools_wait_is_told_from_sql() -> None:
    stall = (await watched(wait_for_the_pool))[0]

    assert stall.cause is StallCause.POOL_WAIT


def test_a_threads_beginning_needs_no_known_name() -> None:
    stalls: list[Stall] = []
    is_over = threading.Event()

    def any_beginning() -> None:
        try:
            stalls.extend(asyncio.run(watched(sleep_in_a_query)))
        finally:
            is_over.set()

    _thread.start_new_thread(any_beginning, ())  # threading's own begin with its functions
    assert is_over.wait(30)

    assert stalls[0].cause is StallCause.SYNC_SQL


async def test_the_asyncio_extension_that_is_stopped_on_its_way_is_no_sync_drivers_wait() -> None:
    looks = Looks()
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=looks.route_of)
    with watch.watching():
        await asyncio.sleep(0)
        await greenlet_spawn(sleep_in_a_query, looks)
        await told(watch)

    assert watch.stalls()[0].cause is StallCause.OTHER


async def test_a_stall_names_the_route_that_its_stack_works_for() -> None:
    stall = (await watched(spin))[0]

    assert stall.route == "GET /slow"


async def test_several_stalls_of_one_place_are_added_up() -> None:
    looks = Looks()
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=looks.route_of)
    with watch.watching():
        for count in (1, 2):
            await asyncio.sleep(0)
            spin(looks)
            await told(watch, count=count)

    stall = watch.stalls()[0]
    assert stall.count == 2
    assert stall.seconds > stall.longest_seconds


async def test_a_stall_is_as_long_as_it_was_however_late_the_watch_hears_of_its_end() -> None:
    is_seen, is_over = threading.Event(), threading.Event()

    def route_of(_frame: FrameType) -> str:
        is_seen.set()
        is_over.wait(PATIENCE_SECONDS)
        return ""

    def block() -> None:
        is_seen.wait(PATIENCE_SECONDS)
        time.sleep(0.3)

    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=route_of)
    with watch.watching():
        await asyncio.sleep(0)
        block()
        beats = watch.lag.count
        while watch.lag.count < beats + 3:  # noqa: ASYNC110 - a beat sets no event
            await asyncio.sleep(0.02)
        is_over.set()
        while not watch.stalls():  # noqa: ASYNC110 - nor does the watch
            await asyncio.sleep(0.02)

    assert watch.stalls()[0].longest_seconds > 0.2


async def test_a_loop_that_awaits_is_no_stall() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    with watch.watching():
        await asyncio.gather(*(asyncio.sleep(0.2) for _ in range(50)))

    assert watch.lag.count > 0
    assert not [stall for stall in watch.stalls() if stall.site is not None]


async def test_nothing_stays_when_the_watch_ends() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    before = set(threading.enumerate())
    with watch.watching():
        during = set(threading.enumerate()) - before

    assert [thread.name for thread in during] == ["harness-loop-watch"]
    assert set(threading.enumerate()) <= before


def test_a_loop_that_is_closed_while_it_is_watched_ends_the_watch_without_a_stall() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    loop = asyncio.new_event_loop()
    with ExitStack() as watching:

        async def begin() -> None:
            watching.enter_context(watch.watching())

        loop.run_until_complete(begin())
        [thread] = [each for each in threading.enumerate() if each.name == "harness-loop-watch"]
        thread.join(0.3)  # the loop stands still meanwhile, and the thread looks at it
        stands_still = thread.is_alive()
        loop.close()
        thread.join(10)

        assert (stands_still, thread.is_alive()) == (True, False)
    assert watch.stalls() == []


async def test_whoever_leaves_while_the_loop_stands_still_leaves_no_thread() -> None:
    looks = Looks()
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=looks.route_of)
    before = set(threading.enumerate())
    with watch.watching():
        await asyncio.sleep(0)
        looks.pause()

    assert set(threading.enumerate()) <= before
