"""The probe: counts for whoever has the token, nothing for everybody else."""

import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import Pool

from harness.asgi.lifespan import lifespan
from harness.capture.requests import ASGIApp, Message, Receive, Scope, Send
from harness.middleware import STATUS_PATH, Probe

TOKEN = "t0ken"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with a password in its URL."""
    engine = create_engine(f"sqlite:///file:{tmp_path}/probe.db?uri=true&password=hunter2")
    yield engine
    engine.dispose()


@pytest.fixture
def app(engine: Engine) -> FastAPI:
    """An application whose one route runs two statements."""

    @asynccontextmanager
    async def pinging(_: FastAPI) -> AsyncIterator[None]:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        yield

    app = FastAPI(lifespan=pinging)

    @app.get("/users/{name}")
    async def user(name: str) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT :name"), {"name": name})
            connection.execute(text("SELECT 'literal-secret'"))

    return app


@asynccontextmanager
async def _running(app: ASGIApp, *, root_path: str = "") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, root_path=root_path)
    client = httpx.AsyncClient(transport=transport, base_url="http://test")
    async with lifespan(app), client:
        yield client


async def _silence() -> dict[str, Any]:
    return {}


async def _unheard(_: object) -> None:
    """Nobody listens."""


async def _status(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(STATUS_PATH, headers=BEARER)
    assert answer.status_code == 200
    status: dict[str, Any] = answer.json()
    return status


async def test_a_probe_inside_of_another_one_counts_nothing_a_second_time(app: FastAPI) -> None:
    app.add_middleware(Probe, token=TOKEN)

    async with _running(Probe(app, token=TOKEN)) as client:
        answer = await client.get("/users/ann")
        status = await _status(client)

    assert status["routes"]["GET /users/{name}"]["statements"] == 2
    assert status["active_requests"] == status["routes"]["GET /users/{name}"]["active"] == 0
    assert [pool["checkouts"] for pool in status["pools"]] == [2]
    assert len(answer.headers.get_list("server-timing")) == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": "Bearer "}],
    ids=["none", "wrong", "no-scheme", "empty"],
)
async def test_without_the_token_there_is_no_status(app: FastAPI, headers: dict[str, str]) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        answer = await client.get(STATUS_PATH, headers=headers)

    assert answer.status_code == 404


async def test_a_probe_without_a_token_shows_nobody_anything(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_TOKEN", raising=False)
    async with _running(Probe(app)) as client:
        answer = await client.get(STATUS_PATH, headers={"authorization": "Bearer "})

    assert answer.status_code == 404


async def test_the_token_may_come_from_the_environment(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_TOKEN", TOKEN)
    async with _running(Probe(app)) as client:
        answer = await client.get(STATUS_PATH, headers=BEARER)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("is_wrapper", [True, False], ids=["wrapper", "add_middleware"])
async def test_requests_are_counted_by_route(app: FastAPI, is_wrapper: bool) -> None:
    watched: ASGIApp = app
    if is_wrapper:
        watched = Probe(app, token=TOKEN)
    else:
        app.add_middleware(Probe, token=TOKEN)
    async with _running(watched) as client:
        await client.get("/users/ada")
        await client.get("/users/bob")

        routes = (await _status(client))["routes"]

    assert list(routes) == ["GET /users/{name}"]
    route = routes["GET /users/{name}"]
    assert (route["requests"], route["statements"]) == (2, 4)


async def test_each_call_of_a_middleware_that_tries_again_is_a_request(app: FastAPI) -> None:
    probe = Probe(app, token=TOKEN)

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != STATUS_PATH:
            await probe(scope, receive, _unheard)
        await probe(scope, receive, send)

    async with _running(twice) as client:
        await client.get("/users/ada")

        routes = (await _status(client))["routes"]

    assert routes["GET /users/{name}"]["requests"] == 2


async def test_asking_for_the_status_counts_as_nothing(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        await _status(client)

        assert (await _status(client))["routes"] == {}


async def test_the_lifespan_counts_as_nothing(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        assert (await _status(client))["unattributed_statements"] == 0


async def test_counts_only_grow(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        await client.get("/users/ada")
        before = await _status(client)
        await client.get("/users/ada")
        after = await _status(client)

    assert before["boot_id"] == after["boot_id"]
    assert before["uptime_seconds"] < after["uptime_seconds"]
    for status, times in ((before, 1), (after, 2)):
        assert status["routes"]["GET /users/{name}"]["requests"] == times
        assert status["pools"][0]["checkouts"] == times + 1  # the lifespan's own


async def test_no_value_and_no_password_is_in_the_status(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        await client.get("/users/bound-secret")

        answer = await client.get(STATUS_PATH, headers=BEARER)

    for secret in ("bound-secret", "literal-secret", "hunter2", TOKEN):
        assert secret not in answer.text


async def test_the_status_is_there_behind_a_root_path(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN), root_path="/api") as client:
        answer = await client.get(f"/api{STATUS_PATH}", headers=BEARER)

    assert answer.status_code == 200


async def test_two_applications_of_one_process_are_counted_apart(
    app: FastAPI, engine: Engine
) -> None:
    other, both = FastAPI(), FastAPI()

    @other.get("/orders")
    async def orders() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    probes = {"/shop": Probe(app, token=TOKEN), "/office": Probe(other, token=TOKEN)}
    for path, probe in probes.items():
        both.mount(path, probe)
    async with _running(both) as client:
        for path in ("/shop/users/ada", "/office/orders", "/shop/users/bob"):
            await client.get(path)

        told = {
            path: (await client.get(path + STATUS_PATH, headers=BEARER)).json() for path in probes
        }

    for probe in probes.values():
        async with lifespan(probe):
            """Its end removes the listeners."""
    shop, office = (status["routes"] for status in told.values())
    assert (list(shop), list(office)) == (["GET /shop/users/{name}"], ["GET /office/orders"])
    [of_users], [of_orders] = shop.values(), office.values()
    assert (of_users["requests"], of_users["statements"]) == (2, 4)
    assert (of_orders["requests"], of_orders["statements"]) == (1, 1)
    assert (of_users["held_at_once"], of_orders["held_at_once"]) == (
        {"pool 1": {"1": 2}},
        {"pool 1": {"1": 1}},
    )


async def test_an_application_without_a_lifespan_is_counted_from_its_first_request(
    app: FastAPI,
) -> None:
    probe = Probe(app, token=TOKEN)
    transport = httpx.ASGITransport(probe)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/users/ada")

        status = await _status(client)

    async with lifespan(probe):
        """Its end removes the listeners."""
    assert status["routes"]["GET /users/{name}"]["statements"] == 2


async def test_the_listeners_leave_with_the_lifespan(app: FastAPI) -> None:
    connect = vars(Pool)["connect"]

    async with _running(Probe(app, token=TOKEN)):
        assert vars(Pool)["connect"] is not connect

    assert vars(Pool)["connect"] is connect


async def test_the_listeners_leave_with_a_lifespan_that_fails() -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError("no database")

    connect = vars(Pool)["connect"]

    with pytest.raises(RuntimeError, match="no database"):
        await Probe(failing, token=TOKEN)({"type": "lifespan"}, _silence, _unheard)

    assert vars(Pool)["connect"] is connect


async def test_the_outcome_of_a_request_is_the_applications_own(app: FastAPI) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise KeyError("its own")

    async with _running(Probe(app, token=TOKEN)) as client:
        with pytest.raises(KeyError, match="its own"):
            await client.get("/fails")

        routes = (await _status(client))["routes"]

    assert routes["GET /fails"]["statuses"] == {"500": 1}


async def test_a_response_tells_the_databases_share(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN)) as client:
        answer = await client.get("/users/bound-secret")

    told = answer.headers["server-timing"]
    assert re.fullmatch(r'db;dur=\d+\.\d;desc="2 statements", pool;dur=\d+\.\d', told)


async def test_the_applications_own_timing_stays(app: FastAPI) -> None:
    @app.get("/own")
    async def own(response: Response) -> None:
        response.headers["Server-Timing"] = "render;dur=3"

    async with _running(Probe(app, token=TOKEN)) as client:
        answer = await client.get("/own")

    own_timing, ours = answer.headers.get_list("server-timing")
    assert (own_timing, ours[:7]) == ("render;dur=3", "db;dur=")


async def test_the_header_can_be_left_out(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN, server_timing=False)) as client:
        answer = await client.get("/users/ada")

    assert "server-timing" not in answer.headers


async def test_lines_are_told_from_the_root_on(app: FastAPI) -> None:
    async with _running(Probe(app, token=TOKEN, root=Path(__file__).parent)) as client:
        await client.get("/users/ada")

        route = (await _status(client))["routes"]["GET /users/{name}"]

    assert route["endpoint"]["path"] == "test_middleware.py"


async def test_the_loop_is_watched_as_long_as_the_lifespan(app: FastAPI) -> None:
    before = set(threading.enumerate())
    async with _running(Probe(app, token=TOKEN)) as client:
        await client.get("/users/ada")
        during = set(threading.enumerate()) - before

    assert "harness-loop-watch" in {thread.name for thread in during}
    assert "harness-loop-watch" not in {
        thread.name for thread in set(threading.enumerate()) - before
    }


async def test_a_start_that_cannot_be_read_is_sent_as_it_is() -> None:
    sent: list[Message] = []

    async def odd(_: object, __: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": 7})

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    probe = Probe(odd, token=TOKEN)
    await probe(scope, _silence, keep)
    async with lifespan(probe):
        """Its end removes the listeners."""

    assert sent[0]["headers"] == 7
