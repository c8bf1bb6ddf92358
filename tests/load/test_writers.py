"""Writers: each write has a key of its own, and what it was answered is kept."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.load.conftest import Generator

_WRITERS = """
from locust import constant, task
from harness.load.writers import HarnessWriter

class Writer(HarnessWriter):
    wait_time = constant(0.01)

    @task
    def write_it(self) -> None:
        self.write({arguments})
"""
_ROUTE = json.dumps({"method": "PUT", "path": "/rows?now=1", "body": '{"text": "{key}"}'})


@dataclass
class Shop:
    """A server that takes writes: every third fails, every fifth is cut off."""

    url: str = ""
    keys: list[str] = field(default_factory=list)
    statuses: dict[str, int | None] = field(default_factory=dict)
    routes: Counter[str] = field(default_factory=Counter)
    connections: Counter[object] = field(default_factory=Counter)
    """How many writes came on each."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            key = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            shop.keys.append(key)
            shop.connections[self.client_address] += 1
            shop.routes[f"{self.command} {self.path}"] += 1
            number = len(shop.keys)
            if number % 5 == 0:
                shop.statuses[key] = None
                self.close_connection = True
                return
            shop.statuses[key] = 500 if number % 3 == 0 else 201
            self.send_response(shop.statuses[key] or 0)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that leaves is no fault of the server."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        shop.url = f"http://127.0.0.1:{listening.server_address[1]}"
        serving = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield shop
        listening.shutdown()
        serving.join()


def writing(generator: Generator, shop: Shop, *, arguments: str) -> Generator:
    generator.scenario.write_text(_WRITERS.replace("{arguments}", arguments), "utf-8")
    return replace(generator, url=shop.url)


def test_what_each_write_was_answered_is_kept(generator: Generator, shop: Shop) -> None:
    writers = writing(generator, shop, arguments="'/rows', '{\"text\": \"{key}\"}'")

    writers.run("-t", "2s", "--stop-timeout", "5", "--keys", "run-7-")

    told = {write.key: write.status for write in writers.result.writes}
    # The run's end may meet one that is about to be sent.
    assert {key: told[key] for key in shop.statuses} == shop.statuses
    assert set(told.values()) == {201, 500, None}
    assert sum(told[key] is None for key in told.keys() - shop.statuses.keys()) <= 4
    assert all(key.startswith("run-7-") for key in told)
    assert len(set(shop.keys)) == len(shop.keys)


def test_no_write_is_sent_on_a_connection_that_its_server_may_be_closing(
    generator: Generator, shop: Shop
) -> None:
    writers = writing(generator, shop, arguments="'/rows', '{\"text\": \"{key}\"}'")

    writers.run("-t", "1s", "--stop-timeout", "5")

    assert len(shop.keys) > 4
    assert set(shop.connections.values()) == {1}


def test_a_writer_without_a_route_of_its_own_uses_the_one_that_is_said(
    generator: Generator, shop: Shop
) -> None:
    writers = writing(generator, shop, arguments="")

    writers.run("-t", "1s", "--stop-timeout", "5", "--write", _ROUTE)

    assert set(shop.routes) == {"PUT /rows?now=1"}
    assert set(writers.result.tally.routes) == {"PUT /rows"}


def test_a_writer_whom_nobody_has_told_where_writes_nothing(
    generator: Generator, shop: Shop
) -> None:
    writers = writing(generator, shop, arguments="")

    writers.run("-t", "1s")

    assert shop.keys == []
    assert writers.result.writes == ()


def test_no_more_is_written_than_can_be_kept(generator: Generator, shop: Shop) -> None:
    writers = writing(generator, shop, arguments="'/rows', '{\"text\": \"{key}\"}'")
    with generator.scenario.open("a", encoding="utf-8") as scenario:
        scenario.write("    most_writes = 7\n")

    writers.run("-t", "1s")

    assert len(writers.result.writes) == 7
    assert set(shop.keys) <= {write.key for write in writers.result.writes}
