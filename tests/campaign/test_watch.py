"""A watch looks at an application until its block ends, and at nothing without a token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.campaign.watch import watching

_PATIENCE_SECONDS = 10.0


@dataclass
class _Application:
    url: str = ""
    active: int = 0
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each question."""
    questions: int = 0


@pytest.fixture
def application() -> Iterator[_Application]:
    served = _Application()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {
                "pid": 1,
                "active_requests": served.active,
                "outstanding": [],
                "routes": {},
                "failure": "",
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())
            served.questions += 1
            served.asked.release()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def test_it_adds_up_what_each_process_tells(application: _Application) -> None:
    application.active = 2

    with watching([application.url, application.url], "token") as watch:
        for _ in range(6):
            assert application.asked.acquire(timeout=_PATIENCE_SECONDS)

    assert {glimpse.active_requests for glimpse in watch.glimpses} == {4}
    moments = [glimpse.at_seconds for glimpse in watch.glimpses]
    assert moments == sorted(moments)


def test_it_waits_until_nothing_is_worked_on(application: _Application) -> None:
    application.active = 1

    with watching([application.url], "token") as watch:
        assert application.asked.acquire(timeout=_PATIENCE_SECONDS)
        application.active = 0
        watch.await_rest(_PATIENCE_SECONDS)

    assert watch.glimpses[-1].is_at_rest


def test_what_does_not_answer_is_not_seen() -> None:
    with watching(["http://127.0.0.1:9"], "token") as watch:
        watch.await_rest(0.3)

    assert watch.glimpses == ()


def test_without_a_token_nobody_is_asked(application: _Application) -> None:
    with watching([application.url], "") as watch:
        watch.await_rest(0.3)

    assert (watch.glimpses, application.questions) == ((), 0)


def test_nobody_looks_after_the_block(application: _Application) -> None:
    with watching([application.url], "token"):
        assert application.asked.acquire(timeout=_PATIENCE_SECONDS)

    assert not [thread for thread in threading.enumerate() if thread.name == "watch"]
