"""Requests on one connection: a server may call the next in the context of the one before."""

import socket
from collections.abc import Iterator
from time import perf_counter
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from sqlalchemy import Engine, text

from harness.capture import RequestTracker, SourceMap, recording
from harness.middleware import STATUS_PATH, Probe
from tests.servers import served_in_thread

_TOKEN = "t0ken"
_LONG = b"x" * 300_000
"""More than a server reads ahead: it stops reading from the connection, and goes on later."""


@pytest.fixture
def app(blog: Engine) -> FastAPI:
    """An application that reads what it is sent, and one that works on after it has answered."""
    app = FastAPI()

    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @app.post("/uploads")
    async def upload(request: Request) -> int:
        ping()
        return len(await request.body())

    @app.get("/one")
    async def one(tasks: BackgroundTasks) -> None:
        tasks.add_task(ping)

    return app


@pytest.fixture
def probed(app: FastAPI) -> Iterator[str]:
    """Its address, with the probe around it."""
    with served_in_thread(Probe(app, token=_TOKEN)) as url:
        yield url


def _counted(url: str) -> dict[str, tuple[int, int]]:
    """Requests and statements by route, once the work behind the answers is done."""
    given_up_at = perf_counter() + 10
    while True:
        answer = httpx.get(url + STATUS_PATH, headers={"authorization": f"Bearer {_TOKEN}"})
        status = answer.json()
        if not status["active_requests"]:
            break
        assert perf_counter() < given_up_at
    routes = status["routes"].items()
    return {name: (route["requests"], route["statements"]) for name, route in routes}


def test_what_follows_a_long_upload_on_its_connection_is_counted(probed: str) -> None:
    with httpx.Client(base_url=probed) as client:
        assert client.post("/uploads", content=_LONG).json() == len(_LONG)
        for _ in range(3):
            client.get("/one").raise_for_status()

    assert _counted(probed) == {"POST /uploads": (1, 1), "GET /one": (3, 3)}


def test_pipelined_requests_are_counted(probed: str) -> None:
    place = urlsplit(probed)
    one = f"GET /one HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n"
    last = one.replace("Host", "Connection: close\r\nHost")
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall((one * 3 + last).encode())
        with connection.makefile("rb") as answers:
            told = answers.read()

    assert told.count(b"HTTP/1.1 200") == 4
    assert _counted(probed) == {"GET /one": (4, 4)}


def test_what_follows_a_long_upload_is_recorded_of_an_application_that_is_followed(
    app: FastAPI, source: SourceMap
) -> None:
    tracker = RequestTracker()
    with (
        tracker.following(app),
        recording(source, requests=tracker) as recorder,
        served_in_thread(app) as url,
        httpx.Client(base_url=url) as client,
    ):
        client.post("/uploads", content=_LONG).raise_for_status()
        for _ in range(3):
            client.get("/one").raise_for_status()

    taken = recorder.snapshot()
    assert [item.name for item in taken.requests] == ["POST /uploads", *["GET /one"] * 3]
    assert list(taken.unattributed) == []
