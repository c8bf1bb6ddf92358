"""The echo log and the events count the same: on every fault, every twin and every database.

Two ways of reading the log stand beside the recorder: the handler in the process, and the reader
of the very lines that the default format makes of it.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL

from harness.capture import Recording, RequestTracker, SourceMap, recording
from harness.capture.echo import EchoCounter, EchoReader, EchoTallier, EchoTally
from target_app.faults import FAULTS
from target_app.faults.catalogue import Fault
from tests.target_app.planted import MANY, planted, request_for


@dataclass(frozen=True, slots=True)
class Counts:
    """What one source tells of a scenario."""

    statements: int
    round_trips: int
    controls: int
    shapes: Counter[str]


def _of_events(recorded: Recording) -> Counts:
    statements = list(recorded.statements)
    return Counts(
        len(statements),
        len(recorded.round_trips),
        recorded.transaction_controls,
        Counter(trip.fingerprint.text for trip in statements),
    )


def _of_echo(tally: EchoTally) -> Counts:
    shapes = {each.shape.text: each.statements for each in tally.shapes}
    return Counts(tally.statements, tally.round_trips, tally.savepoints, Counter(shapes))


@contextmanager
def _log() -> Iterator[io.StringIO]:
    """What SQLAlchemy's own format writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    logger.addHandler(handler)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)


def _read(log: str) -> EchoTally:
    tallier = EchoTallier()
    reader = EchoReader(tallier)
    for line in log.splitlines(keepends=True):
        reader.read(line.encode())
    reader.finish()
    return tallier.tally(lines=reader.lines)


@dataclass(frozen=True, slots=True)
class Bench:
    """The application with its faults, watched in three ways."""

    client: httpx.AsyncClient
    root: Path
    tracker: RequestTracker

    async def ask(self, fault: Fault, path: str) -> tuple[Counts, Counts, Counts]:
        source = SourceMap(self.root)
        with (
            recording(source, requests=self.tracker) as recorder,
            EchoCounter() as counter,
            _log() as log,
        ):
            answer = await self.client.request(fault.method, path, **request_for(fault, MANY))
        assert answer.is_success, answer.text
        events = _of_events(recorder.snapshot())
        return events, _of_echo(counter.required_tally()), _of_echo(_read(log.getvalue()))


@asynccontextmanager
async def _bench(url: URL, root: Path) -> AsyncIterator[Bench]:
    async with planted(url) as app:
        yield Bench(app.client, root, app.tracker)


@pytest_asyncio.fixture
async def on_postgresql(real_postgresql: URL, pytestconfig: pytest.Config) -> AsyncIterator[Bench]:
    url = real_postgresql.set(drivername="postgresql+asyncpg")
    async with _bench(url, pytestconfig.rootpath) as bench:
        yield bench


@pytest_asyncio.fixture
async def on_sqlite(database_file: Path, pytestconfig: pytest.Config) -> AsyncIterator[Bench]:
    url = URL.create("sqlite+aiosqlite", database=str(database_file))
    async with _bench(url, pytestconfig.rootpath) as bench:
        yield bench


@pytest.fixture(params=["postgresql", "sqlite"])
def bench(request: pytest.FixtureRequest) -> Bench:
    chosen: Bench = request.getfixturevalue(f"on_{request.param}")
    return chosen


@pytest.mark.parametrize("part", ["path", "twin_path"], ids=["fault", "twin"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_the_log_and_the_events_tell_the_same(
    bench: Bench, caplog: pytest.LogCaptureFixture, fault: Fault, part: str
) -> None:
    caplog.set_level("INFO", logger="sqlalchemy.engine")

    events, in_process, from_lines = await bench.ask(fault, getattr(fault, part))

    assert events.statements > 0
    assert in_process == events
    assert from_lines == events
