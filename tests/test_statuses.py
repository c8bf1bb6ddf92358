"""The counts of all processes of an application, each at its own address or behind one port."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.asgi.server import bound_socket
from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.statuses import Told, read_status, told_at, told_behind, told_by
from tests.strangers import TOKEN, uvicorn

SECONDS = 0.1
STATUS = {"pid": 7, "failure": ""}


def answer(body: str, *, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\n\r\n{body}".encode()


QUIET = answer(json.dumps(STATUS))
OTHER = answer(json.dumps({"pid": 9, "failure": ""}))
FAILING = answer("", status="500 Internal Server Error")
BROKEN = answer(json.dumps({"pid": 8, "failure": "KeyError"}))


@contextmanager
def silent_port(*, shared_with: int = 0) -> Iterator[str]:
    """The address of somebody who accepts and never answers; perhaps one of two at a port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", shared_with))
        listener.listen(100)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def telling(*answers: bytes) -> Iterator[ThreadingHTTPServer]:
    """A server that gives one answer after the other, again and again."""
    told = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answers[next(told) % len(answers)])

    class Server(ThreadingHTTPServer):
        def server_bind(self) -> None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            super().server_bind()

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_workers_that_the_user_has_started_are_all_seen(tmp_path: Path) -> None:
    with uvicorn(tmp_path, workers=3) as (url, pids):
        told = told_behind(url, TOKEN)

    assert len(pids) == 3
    assert {pid: status["pid"] for pid, status in told.statuses.items()} == {p: p for p in pids}
    assert told.silent == {}


def test_one_process_is_seen_as_one(tmp_path: Path) -> None:
    with uvicorn(tmp_path, workers=1) as (url, _):
        told = told_behind(url, TOKEN, quiet_seconds=0.0)

    assert len(told.statuses) == 1


def test_nobody_behind_the_port_is_silent() -> None:
    with bound_socket("127.0.0.1", 0) as listener:
        told = told_behind(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)

    assert (told.statuses, list(told.silent)) == ({}, [None])
    assert "does not tell its status" in str(told.silent[None])


def test_a_process_that_accepts_and_never_answers_is_given_up() -> None:
    with (
        silent_port() as url,
        pytest.raises(UnreachableTargetError, match=r"timed out after 0\.1 s"),
    ):
        read_status(url, TOKEN, wait_seconds=SECONDS)


def test_where_nobody_answers_there_is_one_round_of_questions() -> None:
    with telling(*[FAILING] * 8, QUIET) as server:
        told = told_behind(address(server), TOKEN, quiet_seconds=SECONDS)

    assert (told.statuses, list(told.silent)) == ({}, [None])


def test_who_comes_after_a_question_without_an_answer_is_found() -> None:
    with telling(*[QUIET] * 8, *[FAILING] * 8, *[OTHER] * 8) as server:
        told = told_behind(address(server), TOKEN, quiet_seconds=SECONDS)

    assert (set(told.statuses), list(told.silent)) == ({7, 9}, [None])


def test_what_others_at_the_port_tell_is_kept_where_one_never_answers() -> None:
    with telling(QUIET) as server, silent_port(shared_with=server.server_address[1]) as url:
        # The kernel chooses by the port of who asks: it may be the silent one for a whole round.
        told = told_behind(url, TOKEN, wait_seconds=SECONDS)
        while not told.statuses:
            told = told_behind(url, TOKEN, wait_seconds=SECONDS)

    assert (told.statuses, list(told.silent)) == ({7: STATUS}, [None])
    assert "timed out after 0.1 s" in str(told.silent[None])


def test_a_process_whose_probe_failed_is_silent_and_the_others_are_not() -> None:
    with telling(BROKEN, QUIET) as server:
        told = told_behind(address(server), TOKEN, quiet_seconds=SECONDS)

    assert told.statuses == {7: STATUS}
    assert isinstance(told.silent[8], BlindRecorderError)
    assert told.silent[8].where == "KeyError"


def test_of_processes_with_addresses_each_is_known_that_does_not_answer() -> None:
    with telling(QUIET) as server, silent_port() as hanging:
        told = told_at({7: address(server), 9: hanging}, TOKEN, wait_seconds=SECONDS)

    assert told.statuses == {7: STATUS}
    assert list(told.silent) == [9]


@pytest.mark.parametrize(
    "said",
    [answer("", status=status) for status in ("404 Not Found", "401 Unauthorized", "403 Forbidden")]
    + [answer("<html>"), answer("{}"), answer("[]")],
    ids=["404", "401", "403", "a page", "another object", "a list"],
)
def test_what_answers_like_an_application_without_a_probe_is_one(said: bytes) -> None:
    with telling(said) as server:
        told = told_behind(address(server), TOKEN)

    assert told.is_without_probe
    assert list(told.silent) == [None]


def test_nobody_is_silent_where_there_is_no_probe() -> None:
    with telling(answer("", status="404 Not Found")) as server:
        assert told_by(address(server), TOKEN) == Told()


def test_nobody_is_asked_without_a_token() -> None:
    with silent_port() as url:
        assert told_by(url, "") == Told()


def test_an_application_that_does_not_answer_is_silent_whether_it_has_a_probe_or_not() -> None:
    with telling(FAILING) as server:
        told = told_by(address(server), TOKEN)

    assert list(told.silent) == [None]


def test_processes_whose_addresses_are_known_are_asked_there() -> None:
    with telling(QUIET) as server, silent_port() as hanging:
        told = told_by(hanging, TOKEN, {7: address(server)}, wait_seconds=SECONDS)

    assert told == Told({7: STATUS})


@pytest.mark.parametrize(
    "said",
    [FAILING, b"nonsense\r\n\r\n", b""],
    ids=["an error", "no HTTP", "nothing"],
)
def test_an_application_that_fails_may_have_a_probe(said: bytes) -> None:
    with telling(said) as server:
        told = told_behind(address(server), TOKEN)

    assert not told.is_without_probe
    assert list(told.silent) == [None]
