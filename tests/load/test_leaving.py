"""Users that leave and users that read slowly: what the server sees, and what is counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from harness.load.tally import Tally
from tests.load.conftest import CountingServer, Generator

_LEAVING = """
from locust import constant, task
from harness.load.leaving import LeavingUser

class Leaver(LeavingUser):
    wait_time = constant(0.01)

    @task
    def page(self) -> None:
        self.get("/pages/{number}?slow=1", number=1)
"""
_READING = """
from locust import constant, task
from harness.load.slow_reader import SlowReader

class Reader(SlowReader):
    wait_time = constant(0.01)
    longest_seconds = 0.3

    @task
    def page(self) -> None:
        self.get("/pages/{number}", number=1)
"""
_PAGE = "GET /pages/{number}"


def test_requests_that_were_left_are_counted_by_themselves(
    server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.2
    generator.scenario.write_text(_LEAVING, encoding="utf-8")

    code, said = generator.run("-t", "3s", "--stop-timeout", "5")

    tally = generator.result.tally
    answered = tally.count(*(answer for by in tally.routes.values() for answer in by))
    assert (code, tally.failures) == (0, 0), said
    assert tally.left[_PAGE] > answered > 0
    # The server has seen each of them, and has worked for those that were left, too.
    assert len(server.answered) == tally.left[_PAGE] + answered
    assert "LEFT" in said


def test_whoever_is_told_to_stay_leaves_nothing(
    server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.05
    generator.scenario.write_text(_LEAVING, encoding="utf-8")

    generator.run("-t", "1s", "--stop-timeout", "5", "--share-leaving", "0")

    assert generator.result.tally.left == {}
    assert generator.result.tally.requests == len(server.answered)


def test_users_that_leave_come_no_more_often_than_those_that_stay(
    server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.2
    generator.scenario.write_text(_LEAVING, encoding="utf-8")

    generator.run("-t", "3s", "--stop-timeout", "5", "--share-leaving", "1")

    # Four users for 3 s: 15 requests each if they waited for every answer.
    assert 4 < len(server.answered) <= 4 * (3 / 0.2 + 1)


def test_a_slow_reader_counts_the_time_until_the_answer_begins(
    server: CountingServer, generator: Generator
) -> None:
    generator.scenario.write_text(_READING, encoding="utf-8")

    code, said = generator.run("-t", "1s", "--stop-timeout", "5")

    tally = generator.result.tally
    assert (code, tally.failures) == (0, 0), said
    assert tally.requests == len(server.answered) > 0


@pytest.fixture
def endless() -> Iterator[tuple[str, list[int]]]:
    """A server whose only answer never ends, and how much of it each client has let through."""
    sent: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def stream(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            sent.append(0)
            index = len(sent) - 1
            while True:
                connection.sendall(b"x" * 1024)
                sent[index] += 1024

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=stream, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", sent
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_body_without_an_end_is_read_slowly_and_then_left(
    endless: tuple[str, list[int]], server: CountingServer, generator: Generator
) -> None:
    url, sent = endless
    generator.scenario.write_text(_READING, encoding="utf-8")
    arguments = generator.headless("-t", "2s", "--stop-timeout", "5")

    here = [url if argument == server.url else argument for argument in arguments]
    with generator.started(*here) as process:
        said, _ = process.communicate(timeout=60)

    tally = generator.result.tally
    assert (process.returncode, tally.failures) == (0, 0), said
    # Four users, each for 0.3 s a body, in 2 s; as fast as it comes it were gigabytes.
    assert 4 < tally.requests <= 4 * 2 / 0.3 + 4
    # Nor has the server's kernel taken 4 MB for a reader that asks for 6 kB.
    assert max(sent) < 200_000


def test_left_requests_of_several_processes_add_up() -> None:
    one, other = Tally(left={"GET /a": 2}), Tally(left={"GET /a": 1, "GET /b": 4})

    one.merge(Tally.from_json(other.as_json()))

    assert one.left == {"GET /a": 3, "GET /b": 4}
    assert one.requests == 0
