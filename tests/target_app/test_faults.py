"""The planted faults: each is real, each has a healthy twin, and all of them are known.

Here the application runs in this process on databases where a commit is a commit, PostgreSQL and
SQLite alike: the sync driver has no rollback isolation yet, and the fan-out needs connections
that wait for nobody.
"""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL, func, select

from harness import checks
from harness.capture import Cause, Phase, Recording, RequestTracker, SourceMap, recording
from harness.checks.verdict import findings_of
from target_app.db import Database
from target_app.faults import FAULTS
from target_app.faults.catalogue import Fault
from target_app.faults.load import LOAD_FAULTS, WORKLOADS
from target_app.faults.table import as_markdown
from target_app.main import create_app
from target_app.models import Todo
from target_app.settings import Settings
from tests.target_app.planted import FIRST_ID, IDS, MANY, planted, request_for

BY_NAME = {fault.name: fault for fault in FAULTS}
FEW = 2

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@dataclass(frozen=True, slots=True)
class Bench:
    """The application with its faults, on one database, watched."""

    client: httpx.AsyncClient
    database: Database
    root: Path
    tracker: RequestTracker

    async def ask(self, fault: Fault, path: str, rows: int) -> tuple[httpx.Response, Recording]:
        with recording(SourceMap(self.root), requests=self.tracker) as recorder:
            answer = await self.client.request(fault.method, path, **request_for(fault, rows))
        return answer, recorder.snapshot()

    async def statements(self, fault: Fault, path: str) -> list[int]:
        recordings = [(await self.ask(fault, path, rows))[1] for rows in (FEW, MANY)]
        return [sum(1 for _ in recorded.statements) for recorded in recordings]


@asynccontextmanager
async def _bench(url: URL, root: Path) -> AsyncIterator[Bench]:
    async with planted(url) as app:
        yield Bench(app.client, app.database, root, app.tracker)


@pytest_asyncio.fixture
async def on_postgresql(real_postgresql: URL, pytestconfig: pytest.Config) -> AsyncIterator[Bench]:
    async with _bench(
        real_postgresql.set(drivername="postgresql+asyncpg"), pytestconfig.rootpath
    ) as bench:
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


@every_fault
async def test_a_fault_and_its_twin_answer_the_same_on_both_databases(
    on_postgresql: Bench, on_sqlite: Bench, fault: Fault
) -> None:
    answers = [
        (await bench.ask(fault, path, MANY))[0]
        for bench in (on_postgresql, on_sqlite)
        for path in (fault.path, fault.twin_path)
    ]

    assert answers[0].is_success, answers[0].text
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert fault.method == "POST" or len(answers[0].json()) == MANY


@every_fault
async def test_a_fault_runs_more_statements_for_more_rows_and_its_twin_does_not(
    bench: Bench, fault: Fault
) -> None:
    of_fault = await bench.statements(fault, fault.path)
    of_twin = await bench.statements(fault, fault.twin_path)

    assert of_fault == [fault.fixed + fault.per_row * rows for rows in (FEW, MANY)]
    assert of_twin == [fault.of_twin, fault.of_twin]


@every_fault
async def test_a_fault_is_found_and_its_twin_is_left_alone(bench: Bench, fault: Fault) -> None:
    _, of_fault = await bench.ask(fault, fault.path, MANY)
    _, of_twin = await bench.ask(fault, fault.twin_path, MANY)

    place = (fault.kind, f"{fault.method} {fault.path}")
    assert place in {(finding.kind, finding.anchor) for finding in findings_of(of_fault)}
    assert findings_of(of_twin) == []


@pytest.mark.parametrize(
    ("name", "phase", "has_line"),
    [
        ("dependency", Phase.DEPENDENCY, True),
        ("background", Phase.BACKGROUND, True),
        # Validated in a worker thread, where the endpoint's frames are not.
        ("serialisation", Phase.SERIALISATION, False),
    ],
)
async def test_the_lazy_loads_outside_the_endpoint_happen_where_the_fault_says(
    bench: Bench, name: str, phase: Phase, *, has_line: bool
) -> None:
    _, recorded = await bench.ask(BY_NAME[name], BY_NAME[name].path, MANY)

    lazy = [trip for trip in recorded.statements if trip.cause is Cause.LAZY]
    assert len(lazy) == MANY
    assert {(trip.phase, trip.call_site is not None) for trip in lazy} == {(phase, has_line)}


async def test_the_fan_out_takes_a_connection_for_each_row_and_its_twin_takes_one(
    bench: Bench,
) -> None:
    fault = BY_NAME["fan-out"]

    _, of_fault = await bench.ask(fault, fault.path, MANY)
    _, of_twin = await bench.ask(fault, fault.twin_path, MANY)

    assert len({trip.connection for trip in of_fault.statements}) == MANY
    assert len({trip.connection for trip in of_twin.statements}) == 1


async def test_the_task_after_the_answer_does_the_same_work_as_its_twin(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    fault = BY_NAME["background"]
    caplog.set_level("INFO", logger="target_app")

    await bench.ask(fault, fault.path, MANY)
    of_fault = list(caplog.messages)
    caplog.clear()
    await bench.ask(fault, fault.twin_path, MANY)

    assert of_fault == [f"digest for user {user_id}: 1 posts" for user_id in IDS]
    assert caplog.messages == of_fault


@pytest.mark.parametrize("prefix", ["faults", "twins"])
async def test_what_the_writes_claim_is_in_the_database(bench: Bench, prefix: str) -> None:
    for name in ("inserts", "updates"):
        answer, _ = await bench.ask(BY_NAME[name], f"/{prefix}/writes/{name}", FEW)
        assert answer.json() == {"rows": FEW}

    async with bench.database.sessions() as session:
        done = await session.scalars(select(Todo.id).where(Todo.done).order_by(Todo.id))
        owned = select(func.count()).where(Todo.owner_id == FIRST_ID)
        assert done.all() == list(IDS[:FEW])
        assert await session.scalar(owned) == 1 + FEW


@pytest.mark.parametrize("prefix", ["faults", "twins"])
async def test_todos_of_nobody_are_409_and_none_is_kept(bench: Bench, prefix: str) -> None:
    body = {"owner_id": 2147483647, "titles": ["one", "two"]}

    answer = await bench.client.post(f"/{prefix}/writes/inserts", json=body)

    assert answer.status_code == 409
    async with bench.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Todo)) == MANY


Operations = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def operations() -> Operations:
    """Every operation of the application with faults, by method and path."""
    return _operations(faults=True)


def _operations(*, faults: bool) -> Operations:
    url = "postgresql+asyncpg://localhost/blog"
    paths = create_app(Settings(database_url=url, faults=faults)).openapi()["paths"]
    return {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_faults_are_mounted_only_when_a_setting_says_so(operations: Operations) -> None:
    healthy = _operations(faults=False)

    added = set(operations) - set(healthy)

    assert set(healthy) < set(operations)
    assert not [path for _, path in healthy if path.startswith(("/faults/", "/twins/"))]
    assert all(path.startswith(("/faults/", "/twins/")) for _, path in added)


def test_every_route_of_a_fault_or_twin_is_in_the_catalogue_and_every_entry_is_served(
    operations: Operations,
) -> None:
    served = {
        (method, path) for method, path in operations if path.startswith(("/faults/", "/twins/"))
    }

    known = {(fault.method, path) for fault in FAULTS for path in (fault.path, fault.twin_path)}
    assert served == known
    assert len(known) == 2 * len(FAULTS)


@every_fault
@pytest.mark.parametrize("part", ["parameters", "requestBody", "responses"])
def test_a_fault_and_its_twin_take_and_answer_the_same(
    operations: Operations, fault: Fault, part: str
) -> None:
    of_fault = operations[fault.method, fault.path]
    of_twin = operations[fault.method, fault.twin_path]

    assert _untitled(of_fault.get(part)) == _untitled(of_twin.get(part))


def _untitled(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what pydantic derives from the name of the function."""
    if isinstance(schema, Mapping):
        return {key: _untitled(value) for key, value in schema.items() if key != "title"}
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema


def test_every_kind_is_found_by_a_check_or_named_as_pending() -> None:
    assert {fault.kind for fault in FAULTS} <= _kinds_of_checks()


def _kinds_of_checks() -> set[str]:
    kinds: set[str] = set()
    for found in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        module = import_module(found.name)
        kinds |= {module.KIND} if hasattr(module, "KIND") else set()
        kinds |= getattr(module, "KINDS", frozenset())
    return kinds


def test_the_table_in_the_documentation_is_generated_from_the_catalogue(
    pytestconfig: pytest.Config,
) -> None:
    written = (pytestconfig.rootpath / "docs/reference/faults.md").read_text("utf-8")

    told = as_markdown(FAULTS, LOAD_FAULTS, WORKLOADS)
    assert written == told, "python -m target_app.faults > docs/reference/faults.md"


@every_fault
def test_a_fault_is_told_completely(fault: Fault) -> None:
    told = (fault.cause, fault.symptom, fault.kind, fault.fix)

    assert all(told)
    assert not any("|" in text or "\n" in text for text in told)
    assert fault.per_row > 0
