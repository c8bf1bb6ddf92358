"""A route streams if its document says so, or if it answers without the length of its body."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.campaign.ground import Ground
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.streaming_routes import known_routes
from harness.campaign.scenario import Settings
from harness.load.routes import Plan

_TYPES = {
    "/list": "json",
    "/export": "json",
    "/lines.txt": "x-ndjson",
    "/broken": "json",
    "/nothing": "json",
}
LIST, EXPORT, LINES, BROKEN, NOTHING = ((f"GET {path}", path) for path in _TYPES)
_STATUSES = {"/broken": 500, "/nothing": 204}
_DOCUMENT: dict[str, object] = {
    "paths": {
        path: {"get": {"responses": {"200": {"content": {f"application/{kind}": {}}}}}}
        for path, kind in _TYPES.items()
    }
}


@pytest.fixture
def url() -> Iterator[str]:
    """Of a server whose `/export` streams and is documented as JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/api")
            text = json.dumps(_DOCUMENT if path == "/openapi.json" else ["line"])
            self.send_response(_STATUSES.get(path, 200))
            if path in {"/list", "/openapi.json"}:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if path != "/nothing":
                self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def on(url: str, *plan: tuple[str, str]) -> Ground:
    return Ground(Settings(plan=plan), lambda _step: None, outside=OutsideTarget(url))


def test_an_answer_without_a_length_is_a_stream_whatever_its_document_says(url: str) -> None:
    routes = known_routes(on(url))

    assert routes.streams == (EXPORT, LINES)
    assert routes.others == (LIST, BROKEN, NOTHING)


def test_of_a_plan_those_are_read_that_stream_and_the_whole_application_is_beside_them(
    url: str,
) -> None:
    export = ("GET /export", "/export?all=1")

    routes = known_routes(on(url, LIST, export))

    assert routes.streams == (export,)
    assert set(routes.others) == {LIST, BROKEN, NOTHING}


def test_routes_are_asked_below_the_path_of_the_host(url: str) -> None:
    routes = known_routes(on(f"{url}/api", ("GET /größe", "/größe"), LIST, EXPORT))

    assert routes.streams == (("GET /größe", "/größe"), EXPORT)


@pytest.mark.parametrize("plan", [(), (EXPORT,)])
def test_without_a_document_the_plan_is_believed(plan: Plan) -> None:
    routes = known_routes(on("http://127.0.0.1:0", *plan))

    assert (routes.streams, routes.others) == (plan, ())
