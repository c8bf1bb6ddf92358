"""What the probe costs a served application: CPU seconds of the server for each request.

uvicorn in processes of its own, one with the probe and one without, in pairs and in turn; new ones
for each pair, because where two processes lie in memory makes one of them faster for good. Two
kinds of request, each one session on asyncpg: a row by its key, which is as little as an endpoint
can do, and a page of 20 authors with their books, two statements and a response model. The
client's work is not counted. Target: the median of the pairs' ratios is at most 3 % above one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from benchmarks.commandline import (
    load,
    machine,
    parser_of,
    run_to_its_end,
    running_server,
    write_json,
)
from benchmarks.databases import new_database
from benchmarks.project.models import Author, Base, Book
from benchmarks.pytest_process import Failed
from benchmarks.rounds import Progress
from benchmarks.table import paragraph, table
from harness.database.schema import create_tables, write_rows
from harness.database.server import PostgresServer
from harness.served import announcement_of, owned_process

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/probe.py --rounds 20 --json probe.json
"""
_ROUNDS, _SLICES = 10, 12
"""Pairs of processes, and turns of each in a pair: short ones, a busy machine changes its pace."""
_REQUESTS, _WARM_UP, _QUICK = 100, 100, 20
_CLIENTS = 4  # fewer than pool_size: a connection of the overflow is opened anew each time
_ROWS = 100
_TARGET = 0.03
_START_SECONDS = 30.0
_MICROSECONDS = 1_000_000
_KINDS = {"row": "/authors/{}", "page": "/pages/{}"}
_PAGES = _ROWS // 2
"""So many begin at a row that has a whole page behind it."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """CPU seconds of a server for each request of one kind, in one pair of processes."""

    kind: str
    without: float
    probed: float

    @property
    def overhead(self) -> float:
        """Share of the cost without."""
        return self.probed / self.without - 1


def main() -> int:
    """Measure and print."""
    options = parser_of(__doc__ or "", example=_EXAMPLE).parse_args()
    return run_to_its_end(partial(_program, options))


def _program(options: argparse.Namespace) -> None:
    rounds = 1 if options.quick else options.rounds or _ROUNDS
    requests = _QUICK if options.quick else _REQUESTS
    with running_server(options.postgres) as server, _database(server) as url:
        print(machine(server))
        pairs = list(_pairs(url, rounds=rounds, requests=requests, progress=Progress()))
        for line in _lines(pairs):
            print(line)
        print(load("at the end"))
        figures = {"pairs": [asdict(pair) for pair in pairs]}
        write_json(options.json, server, figures)


@contextmanager
def _database(server: PostgresServer) -> Iterator[str]:
    with new_database(server) as name:
        url = server.address.url(name)
        create_tables(url, Base.metadata)
        write_rows(url, _fill)
        yield url.render_as_string(hide_password=False)


def _fill(session: Session) -> None:
    authors = [Author(name=f"Author {number}") for number in range(_ROWS)]
    session.add_all(authors)
    session.flush()
    session.add_all(Book(title="A book", author_id=author.id) for author in authors * 2)


def _pairs(url: str, *, rounds: int, requests: int, progress: Progress) -> Iterator[_Pair]:
    for number in range(rounds):
        progress.note(f"pair {number + 1} of {rounds}")
        yield from _measured(url, requests=requests, is_swapped=bool(number % 2))


def _measured(url: str, *, requests: int, is_swapped: bool) -> Iterator[_Pair]:
    order = (True, False) if is_swapped else (False, True)
    with ExitStack() as stack:
        served = {probed: stack.enter_context(_served(url, is_probed=probed)) for probed in order}
        for kind in _KINDS:
            spent: dict[bool, list[float]] = {True: [], False: []}
            for address in served.values():
                _cpu_of(address, kind, min(_WARM_UP, requests))
            for _ in range(_SLICES):
                for is_probed in order:
                    spent[is_probed].append(_cpu_of(served[is_probed], kind, requests))
            yield _Pair(kind, statistics.median(spent[False]), statistics.median(spent[True]))


@contextmanager
def _served(url: str, *, is_probed: bool) -> Iterator[str]:
    environment = {"BENCHMARK_URL": url, "BENCHMARK_PROBE": "1" if is_probed else "0"}
    command = [sys.executable, "-m", "benchmarks.probe_served"]
    with owned_process(command, environment=environment) as process:
        told = announcement_of(process, within_seconds=_START_SECONDS)
        if told is None:
            raise Failed("the measured application did not start; its own words are above")
        yield told["url"]


def _cpu_of(address: str, kind: str, requests: int) -> float:
    """CPU seconds of the server for each of some requests."""
    return asyncio.run(_requested(address, kind, requests)) / requests


async def _requested(address: str, kind: str, requests: int) -> float:
    before = float(await _get(address, ["/cpu"]))
    share = [_KINDS[kind].format(1 + number % _PAGES) for number in range(requests)]
    await asyncio.gather(*(_get(address, share[first::_CLIENTS]) for first in range(_CLIENTS)))
    return float(await _get(address, ["/cpu"])) - before


async def _get(address: str, paths: list[str]) -> bytes:
    """The last answer; one connection, kept open, with as little work as can be."""
    host = urlsplit(address)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    body = b""
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise Failed(f"{path} was answered with {head.splitlines()[0]!r}")
        length = next(
            line for line in head.lower().splitlines() if line.startswith(b"content-length:")
        )
        body = await reader.readexactly(int(length.split(b":")[1]))
    writer.close()
    await writer.wait_closed()
    return body


def _lines(pairs: list[_Pair]) -> Iterator[str]:
    for kind in _KINDS:
        yield from _lines_of(kind, [pair for pair in pairs if pair.kind == kind])


def _lines_of(kind: str, pairs: list[_Pair]) -> Iterator[str]:
    rows = [
        [str(number), _told(pair.without), _told(pair.probed), f"{pair.overhead:+.1%}"]
        for number, pair in enumerate(pairs, start=1)
    ]
    overhead = statistics.median(pair.overhead for pair in pairs)
    without = statistics.median(pair.without for pair in pairs)
    probed = statistics.median(pair.probed for pair in pairs)
    rows.append(["median", _told(without), _told(probed), f"{overhead:+.1%}"])
    yield from table([f"a {kind}", "without, us", "with the probe, us", "overhead"], rows)
    if len(pairs) == 1:
        yield paragraph("One pair says nothing about the noise.")
        return
    word = "met" if overhead <= _TARGET else "MISSED"
    yield paragraph(
        f"a {kind}, {word}: {overhead:+.1%} of CPU for each request; target {_TARGET:.0%}"
    )


def _told(seconds: float) -> str:
    return f"{seconds * _MICROSECONDS:.0f}"


if __name__ == "__main__":
    sys.exit(main())
