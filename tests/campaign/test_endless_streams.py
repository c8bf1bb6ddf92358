"""A stream that sends for ever is read for as long as an answer may take, and no longer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.campaign.drought.side import SideProbe
from harness.campaign.drought.trials import longest_holder, tried, without_database
from harness.capture.traffic import Outcome
from harness.middleware import STATUS_PATH
from harness.served import ServedApplication, Worker
from tests.load.conftest import told_by_probe

_EVERY_SECONDS = 0.05
_TRIED_SECONDS = 1.0
"""Less than a stream without an end is read."""
_LAST_SECONDS = 20.0
"""Of a stream that nobody leaves: a test of what waits for its end is to fail, not to hang."""
_PATIENCE_SECONDS = 10.0


@pytest.fixture
def url() -> Iterator[str]:
    """Of a server whose `/events` has no end; it tells a status, too."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps(told_by_probe() if self.path == STATUS_PATH else {}).encode()
            self.send_response(200)
            if self.path != "/events":
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.path == "/events":
                self._send_events()
            else:
                self.wfile.write(text)

        def _send_events(self) -> None:
            until_seconds = time.monotonic() + _LAST_SECONDS
            while not is_over.wait(_EVERY_SECONDS) and time.monotonic() < until_seconds:
                self.wfile.write(b": still here\n\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that leaves is no fault of the server."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        is_over.set()
        listening.shutdown()
        thread.join()


def test_a_route_without_an_end_is_tried_once_and_takes_no_time_of_the_others(url: str) -> None:
    target = ServedApplication(url, "token", (Worker(1, url),))
    began = time.monotonic()

    events, page = tried(
        target, (("GET /events", "/events"), ("GET /page", "/page")), seconds=_TRIED_SECONDS
    )

    assert time.monotonic() - began < _PATIENCE_SECONDS
    assert (events.is_good, events.is_streamed) == (False, True)
    assert page.is_good
    assert longest_holder([events]) is None
    assert without_database([events, page]) == ("GET /page", "/page")


def test_a_stream_beside_a_load_is_an_answer_that_did_not_come(url: str) -> None:
    probe = SideProbe(url, "/events", patience_seconds=0.2)
    probe.start()
    until = time.monotonic() + _PATIENCE_SECONDS
    while not probe.answers and time.monotonic() < until:
        threading.Event().wait(0.01)
    probe.stop()

    assert [answer.outcome for answer in probe.answers[:1]] == [Outcome.HANG]
