"""The loop that requests come on: its stalls name routes, and the watch ends with the probe."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from fastapi import FastAPI

from harness.capture import RequestTracker
from harness.capture.guard import Guard
from harness.capture.histogram import Histogram
from harness.capture.loops_watched import WatchedLoop
from harness.capture.meter import Meter
from harness.capture.requests import ASGIApp
from harness.capture.source import SourceMap
from harness.capture.tracking import route_of_stack
from harness.middleware import Probe

NAME = "harness-loop-watch"


def watches() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def _routes(loop: dict[str, Any]) -> set[str]:
    return {stall["route"] for stall in loop["stalls"] if stall["route"]}


async def test_a_stall_names_the_route_that_blocks(pytestconfig: pytest.Config) -> None:
    meter, app = Meter(RequestTracker(), SourceMap(pytestconfig.rootpath)), FastAPI()

    @app.get("/blocks/{seconds}")
    async def block(seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - the fault

    transport = httpx.ASGITransport(meter.tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with meter.listening():
            meter.loop.enter()
            await client.get("/blocks/1.0")
            async with asyncio.timeout(10):  # until the watch hears of the end of the stall
                while not _routes(told := meter.status()["loop"]):  # noqa: ASYNC110 - no event of it
                    await asyncio.sleep(0.02)

    [stall] = [stall for stall in told["stalls"] if stall["route"]]
    assert (stall["route"], stall["cause"]) == ("GET /blocks/{seconds}", "other")
    assert stall["site"]["function"].endswith("block")
    assert 0.9 < stall["longest_seconds"] <= stall["seconds"]
    assert Histogram.from_json(told["lag"]).count > 0


async def test_an_application_with_a_wrapper_of_its_own_hides_no_route() -> None:
    seen: list[str] = []

    async def app(*_: object) -> None:
        seen.append(route_of_stack(sys._getframe()))  # noqa: SLF001 - documented

    probed: ASGIApp = Probe(app)
    transport = httpx.ASGITransport(RequestTracker().wrap(probed))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(AssertionError):  # it has not answered
            await client.get("/")

    assert seen == ["GET (no route)"]


async def test_one_loop_is_watched_once_and_the_watch_ends() -> None:
    watched, before = WatchedLoop(SourceMap(Path.cwd()), Guard()), watches()
    watched.enter()
    watched.enter()
    during = watches()
    watched.leave()

    assert (before, during, watches()) == (0, 1, 0)


def test_a_loop_that_follows_a_closed_one_is_watched(pytestconfig: pytest.Config) -> None:
    watched = WatchedLoop(SourceMap(pytestconfig.rootpath), Guard())

    async def come() -> int:
        watched.enter()
        await asyncio.sleep(0.1)
        return Histogram.from_json(watched.as_json()["lag"]).count

    first, second = asyncio.run(come()), asyncio.run(come())
    watched.leave()

    assert 0 < first < second
    assert watches() == 0


def test_without_a_loop_of_asyncio_nothing_is_watched(pytestconfig: pytest.Config) -> None:
    guard = Guard()
    watched = WatchedLoop(SourceMap(pytestconfig.rootpath), guard)

    watched.enter()

    assert (watches(), guard.failure) == (0, "")
    assert watched.as_json()["stalls"] == []


async def test_the_threads_of_the_loop_are_told(pytestconfig: pytest.Config) -> None:
    watched = WatchedLoop(SourceMap(pytestconfig.rootpath), Guard())
    limiter = anyio.to_thread.current_default_thread_limiter()
    before, limiter.total_tokens = limiter.total_tokens, 1
    is_free, is_taken = threading.Event(), threading.Event()

    def occupy() -> None:
        is_taken.set()
        is_free.wait()

    watched.enter()
    works = [asyncio.create_task(anyio.to_thread.run_sync(occupy)) for _ in range(3)]
    while not (is_taken.is_set() and limiter.statistics().tasks_waiting == 2):  # noqa: ASYNC110 - anyio's queue has no event
        await asyncio.sleep(0)
    watched.threads.look()
    told = watched.threads.as_json()
    is_free.set()
    await asyncio.gather(*works)
    watched.leave()
    limiter.total_tokens = before

    assert told is not None
    assert (told["total"], told["borrowed"], told["waiting"]) == (1, 1, 2)
    assert told["waiting_at"]["2"] >= 1
