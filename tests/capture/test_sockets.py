"""WebSockets: one connection, cut into the exchanges that are judged apart."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from warnings import catch_warnings

import pytest
from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect, WebSocketException
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from harness.capture import Phase, Recorder, Recording, RequestTracker, SourceMap, recording
from harness.capture.meter import Meter
from harness.checks.verdict import findings_of
from target_app.models import User

with catch_warnings(action="ignore"):  # that it prefers another httpx
    from starlette.testclient import TestClient

Talk = Callable[[Any], None]
Recorded = Callable[..., Recording]

NAME = "WEBSOCKET /rooms/{room}"


@pytest.fixture
def app(blog: Engine) -> FastAPI:  # noqa: C901 - many small places
    """Sockets that answer, push and refuse."""
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(blog) as opened:
            yield opened

    async def known() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    def user(number: int) -> str:
        with Session(blog) as opened:
            return opened.scalars(select(User).where(User.id == number)).one().name

    @app.websocket("/rooms/{room}")
    async def answering(socket: WebSocket, room: str) -> None:
        await socket.accept()
        try:
            while True:
                number = int(await socket.receive_text())
                await socket.send_text(f"{room} {user(number)}")
        except WebSocketDisconnect:
            pass

    @app.websocket("/impatient")
    async def impatient(socket: WebSocket) -> None:
        await socket.accept()
        for number in (1, 2, 3):
            await asyncio.wait_for(socket.receive_text(), timeout=10)
            await socket.send_text(user(number))

    @app.websocket("/pushing")
    async def pushing(socket: WebSocket) -> None:
        await socket.accept()
        for number in (1, 2, 3):
            await socket.send_text(user(number))

    @app.websocket("/posts", dependencies=[Depends(known)])
    async def posts(socket: WebSocket, db: Annotated[Session, Depends(session)]) -> None:
        await socket.accept()
        await socket.receive_text()
        for author in db.scalars(select(User)):
            await socket.send_text(f"{author.name} {len(author.posts)}")

    @app.websocket("/refused")
    async def refused(_: WebSocket) -> None:
        raise WebSocketException(1008)

    @app.websocket("/broken")
    async def broken(_: WebSocket) -> None:
        raise ZeroDivisionError

    return app


@contextmanager
def _talking(
    app: FastAPI, source: SourceMap, path: str
) -> Iterator[tuple[Any, Recorder, RequestTracker]]:
    tracker = RequestTracker()
    client = TestClient(tracker.wrap(app))
    with recording(source, requests=tracker) as recorder, client.websocket_connect(path) as socket:
        yield socket, recorder, tracker


@pytest.fixture
def recorded(app: FastAPI, source: SourceMap) -> Recorded:
    """What a connection runs on which so many messages go out and so many come back."""

    def talked(path: str, *messages: str, answers: int = 0) -> Recording:
        with _talking(app, source, path) as (socket, recorder, _):
            for message in messages:
                socket.send_text(message)
                if not answers:
                    socket.receive_text()
            for _ in range(answers):
                socket.receive_text()
        return recorder.snapshot()

    return talked


def test_a_connection_has_a_record_with_the_template_of_its_route(recorded: Recorded) -> None:
    (record,) = recorded("/rooms/7").requests

    assert (record.name, record.path, record.status) == (NAME, "/rooms/7", 101)
    assert record.endpoint is not None
    assert record.endpoint.function.endswith("answering")


def test_each_message_has_its_own_statements_and_all_have_one_socket(recorded: Recorded) -> None:
    taken = recorded("/rooms/7", "1", "2")

    counts = [taken.of_request(item.number).statement_count for item in taken.requests]
    assert counts == [0, 1, 1]
    assert {item.name for item in taken.requests} == {NAME}
    assert {item.socket for item in taken.requests} == {taken.requests[0].number}


def test_the_same_statement_for_each_message_is_no_fault(recorded: Recorded) -> None:
    taken = recorded("/rooms/7", "1", "2", "3", "1", "1", "1")

    assert taken.statement_count == 6
    assert findings_of(taken) == []


def test_messages_that_are_received_in_tasks_are_apart_too(recorded: Recorded) -> None:
    taken = recorded("/impatient", "a", "b", "c")

    assert taken.statement_count == 3
    assert findings_of(taken) == []


def test_a_socket_that_pushes_one_transaction_after_the_other_has_no_fault(
    recorded: Recorded,
) -> None:
    taken = recorded("/pushing", answers=3)

    assert [trip.request for trip in taken.round_trips] == [1, 2, 3]
    assert findings_of(taken) == []


def test_a_loop_that_loads_what_it_sends_is_an_n_plus_one(recorded: Recorded) -> None:
    (finding,) = findings_of(recorded("/posts", "go", answers=3))

    assert finding.identity == "n-plus-one User.posts @ WEBSOCKET /posts"
    assert finding.site is not None
    assert "select(User)" in finding.site.code


def test_the_phases_of_a_socket_are_told(recorded: Recorded) -> None:
    taken = recorded("/posts", "go", answers=3)

    phases = [trip.phase for trip in taken.round_trips]
    assert phases == [Phase.DEPENDENCY, *[Phase.HANDLER] * 4]


def test_a_socket_that_is_refused_is_no_error_of_the_server(
    app: FastAPI, source: SourceMap
) -> None:
    tracker = RequestTracker()
    client = TestClient(tracker.wrap(app))

    with recording(source, requests=tracker) as recorder, pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/refused").__enter__()

    taken = recorder.snapshot()
    assert [record.status for record in taken.requests] == [403]
    assert findings_of(taken) == []


def test_a_handler_that_raises_before_it_accepts_is_an_error_of_the_server(
    app: FastAPI, source: SourceMap
) -> None:
    tracker = RequestTracker()
    client = TestClient(tracker.wrap(app))

    with recording(source, requests=tracker) as recorder, pytest.raises(ZeroDivisionError):
        client.websocket_connect("/broken").__enter__()

    (finding,) = findings_of(recorder.snapshot())
    assert (finding.kind, finding.anchor) == ("server-error", "WEBSOCKET /broken")
    assert tracker.open_exchanges == ()


def test_an_open_socket_shows_what_it_has_run(app: FastAPI, source: SourceMap) -> None:
    with _talking(app, source, "/rooms/7") as (socket, recorder, tracker):
        socket.send_text("1")
        socket.receive_text()

        taken = recorder.snapshot()

    assert [item.name for item in taken.requests] == [NAME, NAME]
    assert {trip.request for trip in taken.round_trips} == {taken.requests[-1].number}
    assert tracker.open_exchanges == ()


def test_the_time_in_which_a_socket_waits_is_nobodys(source: SourceMap) -> None:
    with RequestTracker().talking({"type": "websocket", "path": "/"}) as socket:
        socket.ask()
        soon, later = (socket.exchange.finish(source.definition) for _ in range(2))

    assert soon.seconds == later.seconds


def test_the_probe_counts_the_exchanges_of_a_socket(app: FastAPI) -> None:
    meter = Meter(RequestTracker())
    client = TestClient(meter.tracker.wrap(app))

    with meter.listening(), client.websocket_connect("/rooms/7") as socket:
        for number in ("1", "2"):
            socket.send_text(number)
            socket.receive_text()

    route = meter.status()["routes"][NAME]
    assert (route["requests"], route["statements"], route["statuses"]) == (3, 2, {"101": 3})
