"""The watch over an event loop: what blocked it, where, and what did not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import greenlet_spawn

from harness.capture.eventloop import LoopWatch
from harness.capture.source import SourceMap
from harness.capture.windows import Stall, StallCause


async def watched(blocks: Callable[[], object]) -> list[Stall]:
    """What the watch says of a call that blocks the loop, the longest first.

    A busy machine adds stalls of its own, short ones without a line of ours.
    """
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "GET /slow")
    with watch.watching():
        await asyncio.sleep(0)
        blocks()
        await asyncio.sleep(0.05)  # the watch hears of the end of the stall
    return watch.stalls()


def spin() -> int:
    end, turns = time.perf_counter() + 0.3, 0
    while time.perf_counter() < end:
        turns += 1
    return turns


def sleep_in_a_query() -> None:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def add_sleep(connection: object, _record: object) -> None:
        connection.create_function("pause", 0, lambda: time.sleep(0.3))  # type: ignore[attr-defined]

    with engine.connect() as connection:
        connection.execute(text("SELECT pause()"))
    engine.dispose()


def wait_for_the_pool() -> None:
    engine = create_engine(
        "sqlite:///:memory:", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.3
    )
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
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


async def test_the_asyncio_extension_that_is_stopped_on_its_way_is_no_sync_drivers_wait() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    with watch.watching():
        await asyncio.sleep(0)
        await greenlet_spawn(sleep_in_a_query)
        await asyncio.sleep(0.05)

    assert watch.stalls()[0].cause is StallCause.OTHER


async def test_a_stall_names_the_route_that_its_stack_works_for() -> None:
    stall = (await watched(spin))[0]

    assert stall.route == "GET /slow"


async def test_several_stalls_of_one_place_are_added_up() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    with watch.watching():
        for _ in range(2):
            await asyncio.sleep(0.05)
            spin()
        await asyncio.sleep(0.05)

    stall = watch.stalls()[0]
    assert stall.count == 2
    assert stall.seconds > stall.longest_seconds


async def test_a_loop_that_awaits_is_no_stall() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    with watch.watching():
        await asyncio.gather(*(asyncio.sleep(0.2) for _ in range(50)))

    assert watch.lag.count > 0
    assert not [stall for stall in watch.stalls() if stall.site is not None]


async def test_nothing_stays_when_the_watch_ends() -> None:
    watch = LoopWatch(SourceMap(Path(__file__).parent), route_of=lambda _: "")
    with watch.watching():
        during = {thread.name for thread in threading.enumerate()}
    after = {thread.name for thread in threading.enumerate()}

    assert during - after == {"harness-loop-watch"}
