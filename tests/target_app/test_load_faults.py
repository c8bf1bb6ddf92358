"""The faults that show under load are told completely, mounted on request only, and have twins.

What each of them does to the application is in `test_load_connections` and `test_load_blocking`.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL

from target_app.faults import FAULTS
from target_app.faults.catalogue import LoadFault, Workload
from target_app.faults.load import LOAD_FAULTS, WORKLOADS
from target_app.main import create_app
from target_app.models import Account
from target_app.settings import Settings
from tests.target_app.in_process import Running, load_faults
from tests.target_app.slow_server import SlowServer, slow_server

every_load_fault = pytest.mark.parametrize(
    "fault", LOAD_FAULTS, ids=lambda fault: f"{fault.family}-{fault.name}"
)
# What the leaks leave behind is collected in these tests, or it would fail a later one.
pytestmark = pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")

_ANY_URL = "postgresql+asyncpg://localhost/blog"
_SERVICE = ("GET", "/slow-service")

Operations = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[SlowServer]:
    """Answers at once."""
    async with slow_server() as server:
        server.released.set()
        yield server


@pytest_asyncio.fixture
async def app(real_postgresql: URL) -> AsyncIterator[Running]:
    async with load_faults(real_postgresql) as run:
        yield run
        gc.collect()


def _operations(*, faults: bool = False, load_faults: bool = False) -> Operations:
    settings = Settings(database_url=_ANY_URL, faults=faults, load_faults=load_faults)
    paths = create_app(settings).openapi()["paths"]
    return {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


@every_load_fault
async def test_a_load_fault_and_its_twin_give_a_single_client_the_same_answer(
    app: Running, slow: SlowServer, fault: LoadFault
) -> None:
    owner = await app.add_user(f"{fault.family}-{fault.name}")
    await app.add(Account(owner_id=owner.id, balance_cents=7))

    answers = [
        await app.client.request(fault.method, slow.url + path)
        for path in (fault.path, fault.twin_path)
    ]

    assert answers[0].is_success, answers[0].text
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.path)
async def test_a_workload_answers(app: Running, workload: Workload) -> None:
    answer = await app.client.get(workload.path, params={"milliseconds": 1})

    assert answer.status_code == 200


@pytest.fixture(scope="module")
def healthy() -> Operations:
    return _operations()


@pytest.fixture(scope="module")
def operations() -> Operations:
    return _operations(load_faults=True)


def test_load_faults_are_mounted_by_a_setting_of_their_own(
    healthy: Operations, operations: Operations
) -> None:
    with_other_faults = _operations(faults=True)

    added = set(operations) - set(healthy)

    assert set(healthy) < set(operations)
    assert added.isdisjoint(with_other_faults)


def test_the_application_needs_no_http_client_without_the_load_faults() -> None:
    settings = "database_url='sqlite+aiosqlite:///shop.db', faults=True, load_faults=False"
    program = (
        "import sys; from target_app.main import create_app, Settings;"
        f" create_app(Settings({settings})); sys.exit('httpx' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_route_of_the_setting_is_in_the_catalogue(
    healthy: Operations, operations: Operations
) -> None:
    added = set(operations) - set(healthy)

    faults = {(fault.method, path) for fault in LOAD_FAULTS for path in _paths(fault)}
    assert added == faults | {("GET", workload.path) for workload in WORKLOADS} | {_SERVICE}
    assert len(faults) == 2 * len(LOAD_FAULTS)


def _paths(fault: LoadFault) -> tuple[str, str]:
    return fault.path, fault.twin_path


def test_no_two_faults_of_either_kind_have_the_same_path() -> None:
    paths = [fault.path for fault in (*FAULTS, *LOAD_FAULTS)]

    assert len(set(paths)) == len(paths)


@every_load_fault
@pytest.mark.parametrize("part", ["parameters", "requestBody", "responses"])
def test_a_load_fault_and_its_twin_take_and_answer_the_same(
    operations: Operations, fault: LoadFault, part: str
) -> None:
    of_fault = operations[fault.method, fault.path]
    of_twin = operations[fault.method, fault.twin_path]

    assert of_fault.get(part) == of_twin.get(part)


@every_load_fault
def test_a_load_fault_is_told_completely(operations: Operations, fault: LoadFault) -> None:
    told = (fault.cause, fault.symptom, fault.signal, fault.fix)

    assert all(told)
    assert not any("|" in text or "\n" in text for text in told)
    description = operations[fault.method, fault.path]["description"]
    assert "Where it was met:" in description
    assert "It shows" in description.replace("\n", " ")


def _bounds(operations: Operations) -> Mapping[tuple[str, str], float]:
    return {
        (path, parameter["name"]): parameter["schema"].get("maximum", float("inf"))
        for (_, path), operation in operations.items()
        if path.startswith(("/faults/", "/twins/", "/capacity/", "/slow-service"))
        for parameter in operation.get("parameters", [])
    }


def test_no_request_can_ask_for_more_than_a_few_seconds_or_a_few_rows(
    operations: Operations,
) -> None:
    bounds = _bounds(operations)

    assert {name for _, name in bounds} == {"milliseconds", "lines", "rows", "keys"}
    assert max(bounds.values()) <= 5_000


async def test_a_slow_service_that_cannot_be_reached_is_503(app: Running) -> None:
    async with slow_server() as gone:
        url = gone.url

    answer = await app.client.get(f"{url}/faults/held-connection/http")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


async def test_the_slow_service_is_a_route_of_the_application(app: Running) -> None:
    answer = await app.client.get("/slow-service", params={"milliseconds": 1})

    assert answer.json() == {"status": "accepted"}


async def test_the_service_is_called_at_the_address_of_the_socket_not_of_the_host_header(
    app: Running, slow: SlowServer
) -> None:
    url = f"{slow.url}/faults/held-connection/http"

    answer = await app.client.get(url, headers={"Host": "elsewhere.example"})

    assert answer.status_code == 200
    assert slow.requests == ["GET /slow-service?milliseconds=50 HTTP/1.1"]
