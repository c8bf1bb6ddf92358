"""Requests of our own reach what the generator's reach, and carry nothing elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError

import pytest

from harness.campaign.asked_keys import keys_by_get
from harness.campaign.asking import asked
from harness.campaign.drought.side import side_probe
from harness.campaign.drought.trials import tried
from harness.campaign.outside import plan_behind
from harness.campaign.pages import paged_plan_behind
from harness.campaign.probes.streaming_rows import Body, body_of
from harness.errors import MisuseError
from harness.load.sending import document_behind, is_same_origin, opened
from harness.served import ServedApplication, Worker
from harness.statuses import read_status
from tests.load.guarded import SECRET, SELF_SIGNED, TOKEN, Guarded, guarded

_SECONDS = 10.0
_HEADERS = {"Authorization": SECRET, "X-Tenant": "7"}
_READ_STATUS = """
import sys
from harness.statuses import read_status
print(read_status(*sys.argv[1:])["pid"])
"""
_PAGES = (("GET /pages", "/pages"),)


@pytest.fixture(params=[False, True], ids=["http", "self-signed https"])
def application(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """It answers nobody without an authorization."""
    with guarded(certificate=SELF_SIGNED if request.param else None) as running:
        yield running


@contextmanager
def leading_to(location: str) -> Iterator[str]:
    """The address of a server that leads everybody there, relative to its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(307 if self.path == "/first" else 200)
            self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(self.headers.get("Authorization", "").encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def trial(target: ServedApplication) -> bool:
    (found,) = tried(target, _PAGES, seconds=_SECONDS)
    return found.is_good


def answered(target: ServedApplication) -> bool:
    with asked(target.url, "/pages", wait_seconds=_SECONDS, headers=target.headers) as response:
        return response.status == 200


@pytest.mark.parametrize(
    "ask",
    [
        answered,
        trial,
        lambda target: plan_behind(target.url, target.headers) == _PAGES,
        lambda target: paged_plan_behind(target.url, (), target.headers).paged == 0,
        lambda target: body_of(target.url, "/stream", target.headers) is Body.SHORT,
        lambda target: keys_by_get(target.url, "/{key}", ["a"], headers=target.headers) is not None,
    ],
    ids=["asked", "tried", "plan", "pages", "body", "keys"],
)
def test_the_headers_go_with_each_request_but_those_to_the_probe(
    ask: Callable[[ServedApplication], bool], application: Guarded
) -> None:
    url = application.url
    target = ServedApplication(url, TOKEN, (Worker(1, url),), headers=_HEADERS)

    is_answered = ask(target)

    assert is_answered
    assert application.asked
    assert application.refused == set()


def test_the_headers_go_with_what_is_asked_beside_a_load(application: Guarded) -> None:
    with side_probe(application.url, "/pages", _HEADERS):
        assert application.some.wait(_SECONDS)

    assert application.refused == set()


def test_the_probe_of_a_self_signed_server_is_read() -> None:
    with guarded(certificate=SELF_SIGNED) as application:
        status = read_status(application.url, TOKEN)

    assert status["pid"] == os.getpid()
    assert application.asked == []


def test_no_proxy_is_asked_as_the_generator_asks_none(application: Guarded) -> None:
    nobody = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    # In a process of its own: which proxies there are is looked up once.
    ended = subprocess.run(
        [sys.executable, "-c", _READ_STATUS, application.url, TOKEN],
        env={**os.environ, **nobody, "no_proxy": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout.strip() == str(os.getpid()), ended.stderr


def test_a_document_that_is_refused_names_the_option_for_headers(application: Guarded) -> None:
    with pytest.raises(MisuseError, match="HTTP Error 401") as caught:
        document_behind(application.url)

    assert "give --header 'Authorization: Bearer …'" in str(caught.value)


def test_a_redirect_on_the_same_server_keeps_the_headers() -> None:
    with (
        leading_to("/second") as url,
        opened(f"{url}/first", wait_seconds=_SECONDS, headers=_HEADERS) as answer,
    ):
        assert answer.read().decode() == SECRET


def test_a_redirect_to_another_server_carries_no_headers() -> None:
    with (
        guarded() as other,
        leading_to(f"{other.url}/elsewhere") as url,
        pytest.raises(HTTPError) as caught,
    ):
        opened(f"{url}/first", wait_seconds=_SECONDS, headers=_HEADERS)

    with closing(caught.value):
        assert other.asked == [("/elsewhere", "")]


@pytest.mark.parametrize(
    ("other", "is_so"),
    [
        ("http://shop.example:80/api", True),
        ("https://shop.example", False),
        ("http://shop.example:8000", False),
        ("http://bank.example", False),
        ("http://shop.example:none", False),
    ],
)
def test_an_origin_is_scheme_name_and_port(other: str, *, is_so: bool) -> None:
    assert is_same_origin("http://shop.example", other) == is_so
