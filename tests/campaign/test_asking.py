"""Requests of our own go to where those of the users go, and fail as theirs do."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing
from http.client import HTTPResponse, HTTPSConnection, IncompleteRead

import pytest

from harness.campaign.asking import FAILURES, asked, is_streamed, read_whole
from harness.campaign.drought.side import side_probe
from harness.campaign.drought.trials import tried
from harness.campaign.probes.streaming_rows import Body, body_of
from harness.load.sending import connection_to, target_of
from harness.served import ServedApplication, Worker
from tests.load.conftest import CountingServer, told_by_probe

_TLS_HANDSHAKE = 0x16
_PATIENCE_SECONDS = 10.0


@pytest.mark.parametrize(
    ("url", "path", "target"),
    [
        ("http://shop.example", "/orders?page=2", "/orders?page=2"),
        ("http://shop.example/api/", "/orders", "/api/orders"),
        ("http://shop.example", "/größe?name=a b", "/gr%C3%B6%C3%9Fe?name=a%20b"),
        ("http://shop.example", "/a%2Fb?x=[1]&y='z'", "/a%2Fb?x=[1]&y='z'"),
    ],
    ids=["as in the plan", "below the path of the host", "no ASCII", "encoded already"],
)
def test_a_request_names_what_a_browser_would(url: str, path: str, target: str) -> None:
    assert target_of(url, path) == target


def test_a_request_goes_below_the_path_of_the_host(server: CountingServer) -> None:
    with asked(f"{server.url}/api", "/größe", wait_seconds=_PATIENCE_SECONDS) as response:
        response.read()

    assert (response.status, server.answered) == (200, ["/api/gr%C3%B6%C3%9Fe"])


def test_a_host_of_https_is_not_spoken_to_in_plain_text() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def hang_up() -> None:
            accepted, _ = listening.accept()
            with accepted:
                heard.append(accepted.recv(1))

        answering = threading.Thread(target=hang_up)
        answering.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"

        with pytest.raises(FAILURES), asked(url, "/", wait_seconds=_PATIENCE_SECONDS):
            pass
        answering.join()

    assert heard == [bytes([_TLS_HANDSHAKE])]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://shop.example", ("shop.example", 443)),
        ("http://shop.example", ("shop.example", 80)),
        ("http://somebody:secret@shop.example:8000", ("shop.example", 8000)),
        ("http://[::1]", ("::1", 80)),
    ],
)
def test_a_host_has_the_port_of_its_scheme_or_its_own(url: str, address: tuple[str, int]) -> None:
    with closing(connection_to(url, wait_seconds=1.0)) as connection:
        assert (connection.host, connection.port) == address
        assert isinstance(connection, HTTPSConnection) == url.startswith("https")


@pytest.mark.parametrize(
    ("head", "is_so"),
    [
        (b"200 OK\r\nTransfer-Encoding: chunked", True),
        (b"200 OK\r\nConnection: close", True),
        (b"200 OK\r\nContent-Length: 7", False),
        (b"204 No Content\r\nConnection: close", False),
        (b"304 Not Modified\r\nConnection: close", False),
    ],
)
def test_a_body_is_streamed_if_there_is_one_without_a_length(head: bytes, *, is_so: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
        with closing(HTTPResponse(ours)) as response:
            response.begin()

            assert is_streamed(response) == is_so


def read(sent: bytes, *, within_seconds: float) -> HTTPResponse:
    """What was answered by these bytes, behind which the connection ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs, HTTPResponse(ours) as response:
        theirs.sendall(b"HTTP/1.1 200 OK\r\n" + sent)
        theirs.shutdown(socket.SHUT_WR)
        response.begin()
        read_whole(response, until_seconds=time.monotonic() + within_seconds)
    return response


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 4\r\n\r\nrows",
        b"Content-Length: 0\r\n\r\n",
        b"Connection: close\r\n\r\nrows",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nrows\r\n0\r\n\r\n",
    ],
    ids=["with its length", "empty", "to the end of the connection", "in chunks"],
)
def test_a_body_is_read_to_its_end(sent: bytes) -> None:
    assert read(sent, within_seconds=_PATIENCE_SECONDS).isclosed()


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 9\r\n\r\nrows",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nrows\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n9\r\nrows",
    ],
    ids=["with its length", "between chunks", "within a chunk"],
)
def test_a_body_that_is_cut_off_is_a_failure(sent: bytes) -> None:
    with pytest.raises(IncompleteRead):
        read(sent, within_seconds=_PATIENCE_SECONDS)


def test_a_body_that_has_not_ended_in_time_is_left() -> None:
    with pytest.raises(TimeoutError, match="has no end"):
        read(b"Connection: close\r\n\r\nrows", within_seconds=-1.0)


def test_a_connection_serves_again_once_a_body_is_read(server: CountingServer) -> None:
    with closing(connection_to(server.url, wait_seconds=_PATIENCE_SECONDS)) as connection:
        for _ in range(2):
            connection.request("GET", "/pages")
            answer = connection.getresponse()
            read_whole(answer, until_seconds=time.monotonic() + _PATIENCE_SECONDS)

    assert server.answered == ["/pages", "/pages"]


def test_routes_are_tried_where_users_request_them(server: CountingServer) -> None:
    server.probe = told_by_probe()
    target = ServedApplication(f"{server.url}/api", "token", (Worker(1, server.url),))

    (trial,) = tried(target, (("GET /größe", "/größe"),), seconds=_PATIENCE_SECONDS)

    assert (trial.is_good, trial.is_streamed) == (True, False)
    assert set(server.answered) == {"/api/gr%C3%B6%C3%9Fe"}


def test_bodies_are_looked_at_where_users_read_them(server: CountingServer) -> None:
    assert body_of(f"{server.url}/api", "/größe") is Body.SHORT
    assert server.answered == ["/api/gr%C3%B6%C3%9Fe"]


def test_what_is_asked_beside_a_load_is_asked_where_users_are(server: CountingServer) -> None:
    with side_probe(f"{server.url}/api", "/größe"):
        assert server.some.wait(_PATIENCE_SECONDS)

    assert set(server.answered) == {"/api/gr%C3%B6%C3%9Fe"}
