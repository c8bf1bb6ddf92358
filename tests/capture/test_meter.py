"""The meter keeps counts where the recorder keeps records: in constant memory."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from harness.capture import RequestTracker
from harness.capture.histogram import Histogram
from harness.capture.meter import Meter
from harness.capture.requests import Receive, Scope, Send
from target_app.models import User


@pytest.fixture
def meter() -> Meter:
    """A meter that does not listen yet."""
    return Meter(RequestTracker())


@pytest.fixture
def shop(blog: Engine, meter: Meter) -> httpx.AsyncClient:
    """A client of an application whose requests the meter sees."""
    app = FastAPI()

    @app.get("/users/{number}")
    async def user(number: int) -> None:
        with Session(blog) as session:
            session.get(User, number)
            session.scalars(select(User)).all()

    transport = httpx.ASGITransport(meter.tracker.wrap(app))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_requests_and_statements_are_counted_by_route(
    meter: Meter, shop: httpx.AsyncClient
) -> None:
    with meter.listening():
        await shop.get("/users/1")
        await shop.get("/users/2")

    route = meter.status()["routes"]["GET /users/{number}"]
    assert {name: route[name] for name in ("requests", "statements", "round_trips")} == {
        "requests": 2,
        "statements": 4,
        "round_trips": 4,
    }
    assert Histogram.from_json(route["seconds"]).count == 2


async def test_statuses_are_counted_by_route(meter: Meter, shop: httpx.AsyncClient) -> None:
    with meter.listening():
        await shop.get("/users/1")
        await shop.get("/users/one")

    assert meter.status()["routes"]["GET /users/{number}"]["statuses"] == {"200": 1, "422": 1}


async def test_a_path_without_a_route_adds_no_entry_of_its_own(
    meter: Meter, shop: httpx.AsyncClient
) -> None:
    with meter.listening():
        for number in range(5):
            await shop.get(f"/nowhere/{number}")

    routes = meter.status()["routes"]
    assert list(routes) == ["GET (no route)"]
    assert routes["GET (no route)"]["requests"] == 5


def test_what_runs_outside_of_requests_is_counted_apart(meter: Meter, blog: Engine) -> None:
    with meter.listening(), blog.connect() as connection:
        connection.execute(text("SELECT 1"))

    status = meter.status()
    assert (status["unattributed_statements"], status["routes"]) == (1, {})


def test_checkouts_are_counted_and_timed_by_pool(meter: Meter, blog: Engine) -> None:
    with meter.listening():
        for _ in range(3):
            blog.connect().close()

    (pool,) = meter.status()["pools"]
    assert (pool["checkouts"], pool["creations"], pool["checked_out"]) == (3, 1, 0)
    assert Histogram.from_json(pool["wait"]).count == 3
    assert Histogram.from_json(pool["hold"]).count == 3


def test_a_connection_that_is_out_shows_before_it_is_back(meter: Meter, blog: Engine) -> None:
    with meter.listening(), blog.connect():
        (pool,) = meter.status()["pools"]

    assert (pool["checked_out"], pool["peak_checked_out"]) == (1, 1)


async def test_the_status_is_json(meter: Meter, shop: httpx.AsyncClient) -> None:
    with meter.listening():
        await shop.get("/users/1")

    status: dict[str, Any] = meter.status()
    assert json.loads(json.dumps(status)) == status


def test_a_restarted_process_has_another_boot_id(meter: Meter) -> None:
    assert meter.status()["boot_id"] != Meter(RequestTracker()).status()["boot_id"]


class ReticentPool(QueuePool):
    """A pool that does not tell how long it waits."""

    def timeout(self) -> float:
        raise NotImplementedError


def test_an_error_of_ours_is_in_the_status_and_not_in_the_application(
    meter: Meter, tmp_path: Path
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/odd.db", poolclass=ReticentPool)

    with meter.listening(), engine.connect() as connection:
        answer = connection.execute(text("SELECT 1")).scalar()
    engine.dispose()

    status = meter.status()
    assert (answer, status["unattributed_statements"]) == (1, 1)
    assert status["failure"].startswith("NotImplementedError in timeout (")


async def test_a_request_that_cannot_be_counted_is_answered(meter: Meter) -> None:
    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nameless(scope: Scope, receive: Receive, send: Send) -> None:
        del scope["method"]  # as a careless middleware may
        await answer(scope, receive, send)

    transport = httpx.ASGITransport(meter.tracker.wrap(nameless))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with meter.listening():
            answered = await client.get("/")

    assert (answered.status_code, meter.status()["routes"]) == (204, {})
    assert meter.status()["failure"].startswith("KeyError in _route")


async def test_nothing_is_counted_after_the_block(meter: Meter, shop: httpx.AsyncClient) -> None:
    with meter.listening():
        pass

    await shop.get("/users/1")

    status = meter.status()
    assert (status["routes"], status["pools"], status["unattributed_statements"]) == ({}, [], 0)


async def test_methods_that_clients_make_up_are_one(meter: Meter, shop: httpx.AsyncClient) -> None:
    with meter.listening():
        for number in range(20):
            await shop.request(f"MADE{number}", "/nowhere")
            await shop.request(f"MADE{number}", "/users/1")

    routes = meter.status()["routes"]
    assert {name: route["requests"] for name, route in routes.items()} == {
        "OTHER (no route)": 20,
        "OTHER /users/{number}": 20,
    }


async def test_a_method_of_the_applications_own_keeps_its_name(meter: Meter) -> None:
    app = FastAPI()

    @app.api_route("/files", methods=["PROPFIND"])
    async def files() -> None:
        pass

    transport = httpx.ASGITransport(meter.tracker.wrap(app))
    with meter.listening():
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.request("PROPFIND", "/files")

    assert list(meter.status()["routes"]) == ["PROPFIND /files"]


async def test_routes_beyond_a_thousand_are_counted_as_one(meter: Meter) -> None:
    inner, app = FastAPI(), FastAPI()
    inner.get("/")(_nothing)
    app.mount("/{tenant}", inner)
    transport = httpx.ASGITransport(meter.tracker.wrap(app))
    with meter.listening():
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for number in range(1010):
                await client.get(f"/{number}/")

    routes = meter.status()["routes"]
    assert len(routes) == 1001
    assert (routes["GET /7/"]["requests"], routes["(further routes)"]["requests"]) == (1, 10)


async def _nothing() -> None:
    pass
