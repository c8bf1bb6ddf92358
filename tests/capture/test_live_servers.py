"""The recorder in a process that serves real HTTP, and the probe of one that is served apart."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Annotated

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from harness.capture import Phase, Recording, RequestTracker, SourceMap, recording
from harness.checks.verdict import findings_of
from harness.served import ServedApplication
from target_app.models import User
from tests.capture.answers import UserOut
from tests.servers import served_in_thread

Requested = Callable[..., Recording]


@pytest.fixture
def app(blog: Engine) -> FastAPI:
    """Endpoints on the event loop and in the thread pool."""
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(blog) as opened:
            yield opened

    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @app.get("/loop/{number}", dependencies=[Depends(ping)])
    async def on_the_loop(number: int, tasks: BackgroundTasks) -> int:
        ping()
        tasks.add_task(ping)
        return number

    @app.get("/users", response_model=list[UserOut])
    def in_a_thread(db: Annotated[Session, Depends(session)]) -> Sequence[User]:
        return db.scalars(select(User)).all()

    return app


@pytest.fixture
def requested(app: FastAPI, source: SourceMap) -> Requested:
    """What requests over real HTTP run in this process."""

    def taken(*paths: str, between: Callable[[], None] = lambda: None) -> Recording:
        tracker = RequestTracker()
        with (
            recording(source, requests=tracker) as recorder,
            served_in_thread(tracker.wrap(app)) as url,
            httpx.Client(base_url=url) as client,
        ):
            for path in paths:
                client.get(path).raise_for_status()
                between()
        return recorder.snapshot()

    return taken


def test_requests_to_a_server_in_a_thread_are_known_by_their_routes(requested: Requested) -> None:
    taken = requested("/loop/1", "/loop/2", "/users")

    counts = [(item.name, taken.of_request(item.number).statement_count) for item in taken.requests]
    assert counts == [("GET /loop/{number}", 3), ("GET /loop/{number}", 3), ("GET /users", 4)]


def test_their_phases_are_told(requested: Requested) -> None:
    taken = requested("/loop/1", "/users")

    phases = [[trip.phase for trip in taken.of_request(n).round_trips] for n in (1, 2)]
    assert phases == [
        [Phase.DEPENDENCY, Phase.HANDLER, Phase.BACKGROUND],
        [Phase.HANDLER, *[Phase.SERIALISATION] * 3],
    ]


def test_their_findings_are_those_of_any_other_client(requested: Requested) -> None:
    (finding,) = findings_of(requested("/users"))

    assert finding.identity == "n-plus-one User.posts @ GET /users"
    assert finding.site is not None
    assert finding.site.path == "tests/capture/test_live_servers.py"


def test_what_the_test_runs_meanwhile_is_no_requests(requested: Requested, blog: Engine) -> None:
    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 2"))

    taken = requested("/loop/1", between=ping)

    (own,) = taken.unattributed
    assert own.fingerprint.text == "SELECT ?"
    assert taken.statement_count == 4


@pytest.mark.group("served")
def test_the_status_of_a_served_process_counts_every_request(
    served_app: ServedApplication,
) -> None:
    def statements_of(requests: int) -> int:
        """Once so many were counted: a request ends after its client has the answer."""
        given_up_at = perf_counter() + 10
        route = served_app.status()["routes"]["GET /users/{user_id}"]
        while route["requests"] < requests:
            assert perf_counter() < given_up_at
            route = served_app.status()["routes"]["GET /users/{user_id}"]
        assert route["requests"] == requests
        statements: int = route["statements"]
        return statements

    known = served_app.status()["routes"].get("GET /users/{user_id}", {"requests": 0})["requests"]
    with httpx.Client(base_url=served_app.url) as client:
        after = []
        for number in range(1, 5):
            client.get("/users/1")
            after.append(statements_of(known + number))

    each = {later - before for before, later in pairwise(after)}
    assert len(each) == 1
    assert each != {0}
