"""An application that starts itself: once per loop, before the first request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from fastapi import FastAPI, Request

from harness.asgi.running import RunningApp
from harness.errors import ApplicationStartError
from harness.loops import Residents


class Shop:
    """An application that counts its starts and stops."""

    def __init__(self, *, failures: int = 0) -> None:
        self.diary: list[str] = []
        self.failures = failures
        self.app = FastAPI(lifespan=self.lifespan)
        self.app.add_api_route("/", self.root)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[dict[str, str]]:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not yet")
        self.diary.append("start")
        yield {"greeting": "hello"}
        self.diary.append("stop")

    async def root(self, request: Request) -> str:
        return str(request.state.greeting)


def client_of(shop: Shop, residents: Residents) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(RunningApp(shop.app, residents))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_it_starts_before_the_first_request_and_once(residents: Residents) -> None:
    shop = Shop()
    client = client_of(shop, residents)

    answers = [(await client.get("/")).json() for _ in range(3)]

    assert answers == ["hello"] * 3
    assert shop.diary == ["start"]


async def test_who_may_be_waited_for_starts_it_and_waits_for_nobody(residents: Residents) -> None:
    shop = Shop()
    running = RunningApp(shop.app, residents)
    starting = asyncio.create_task(running.started())
    await asyncio.sleep(0)

    await running.begun()
    diary_while_starting = [*shop.diary]
    await starting

    assert (diary_while_starting, shop.diary) == ([], ["start"])


async def test_who_may_be_waited_for_starts_what_nobody_has(residents: Residents) -> None:
    shop = Shop()

    await RunningApp(shop.app, residents).begun()

    assert shop.diary == ["start"]


async def test_requests_that_come_at_once_start_it_once(residents: Residents) -> None:
    shop = Shop()
    client = client_of(shop, residents)

    answers = await asyncio.gather(*(client.get("/") for _ in range(5)))

    assert [answer.json() for answer in answers] == ["hello"] * 5
    assert shop.diary == ["start"]


async def test_a_request_that_is_cancelled_while_it_starts_leaves_it_to_the_next(
    residents: Residents,
) -> None:
    shop = Shop()
    client = client_of(shop, residents)
    first = asyncio.create_task(client.get("/"))
    second = asyncio.create_task(client.get("/"))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).json() == "hello"
    assert shop.diary.count("start") - shop.diary.count("stop") == 1


async def test_a_failing_start_fails_every_request_with_its_reason(residents: Residents) -> None:
    client = client_of(Shop(failures=3), residents)

    outcomes = await asyncio.gather(*(client.get("/") for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ApplicationStartError] * 3


async def test_after_a_failing_start_the_next_request_tries_again(residents: Residents) -> None:
    client = client_of(Shop(failures=1), residents)
    with pytest.raises(ApplicationStartError):
        await client.get("/")

    assert (await client.get("/")).json() == "hello"


def test_it_starts_and_stops_with_every_loop(residents: Residents) -> None:
    shop = Shop()
    client = client_of(shop, residents)

    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.run(client.get("/"))

    assert shop.diary == ["start", "stop", "start", "stop"]


def test_what_is_around_the_lifespan_is_entered_before_and_left_after_it() -> None:
    @contextmanager
    def around() -> Iterator[None]:
        shop.diary.append("before")
        yield
        shop.diary.append("after")

    shop = Shop()
    running = RunningApp(shop.app, Residents(), around_lifespan=around)
    transport = httpx.ASGITransport(running)
    with asyncio.Runner() as runner:
        runner.run(httpx.AsyncClient(transport=transport, base_url="http://test").get("/"))

    assert shop.diary == ["before", "start", "stop", "after"]


async def test_the_state_of_one_request_is_not_the_next_ones(residents: Residents) -> None:
    app = FastAPI()

    async def count(request: Request) -> int:
        request.state.seen = getattr(request.state, "seen", 0) + 1
        return int(request.state.seen)

    app.add_api_route("/", count)
    transport = httpx.ASGITransport(RunningApp(app, residents))
    client = httpx.AsyncClient(transport=transport, base_url="http://test")

    assert [(await client.get("/")).json() for _ in range(2)] == [1, 1]
