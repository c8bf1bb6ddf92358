"""Each failure of the database becomes the HTTP answer that a client can act on."""

import logging
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from target_app.errors import (
    AuthenticationError,
    NotFoundError,
    RuleError,
    UnavailableError,
    add_error_handlers,
)


class DriverError(Exception):
    """What a driver raises: an exception with an sqlstate."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(f"driver says {sqlstate}\nand more on a second line")
        self.sqlstate = sqlstate


FAILURES: dict[str, Exception] = {
    "pool": PoolTimeoutError("QueuePool limit reached", code="3o7r"),
    "other-timeout": PoolTimeoutError("something else"),
    "clients": DBAPIError("SELECT 1", {}, DriverError("53300")),
    "syntax": DBAPIError("SELEC 1", {}, DriverError("42601")),
    "unique": IntegrityError("INSERT", {}, DriverError("23505")),
    "foreign-key": IntegrityError("INSERT", {}, DriverError("23503")),
    "check": IntegrityError("INSERT", {}, DriverError("23514")),
    "lost": DBAPIError("SELECT 1", {}, DriverError(None), connection_invalidated=True),
    "refused-by-libpq": OperationalError(None, None, DriverError(None)),
    "interface": DBAPIError("SELECT 1", {}, DriverError(None)),
    # What asyncio raises while asyncpg connects, as it was seen.
    "refused": ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"),
    "two-addresses": OSError("Multiple exceptions: [Errno 111] ..., [Errno 111] ..."),
    "name": socket.gaierror(-2, "Name or service not known"),
    "slow-network": TimeoutError(),
    "no-socket": FileNotFoundError(2, "No such file or directory"),
    "file": FileNotFoundError(2, "No such file or directory", "prices.csv"),
    "rule": RuleError("not on Sundays"),
    "sign-in": AuthenticationError(),
    "missing": NotFoundError("users", 7),
    "not-ready": UnavailableError("the database does not answer"),
}

OVERLOAD = [
    "pool",
    "clients",
    "not-ready",
    "lost",
    "refused-by-libpq",
    "refused",
    "two-addresses",
    "name",
    "slow-network",
    "no-socket",
]


@pytest_asyncio.fixture
async def failing() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client whose `GET /{failure}` raises the failure of that name."""
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    @app.get("/any/{_name}")
    async def overloaded(_name: str) -> None:
        raise FAILURES["pool"]

    @app.get("/{failure}")
    async def fail(failure: str) -> None:
        raise FAILURES[failure]

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("failure", OVERLOAD)
async def test_overload_is_503_with_retry_after_and_one_log_line(
    failing: httpx.AsyncClient, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="target_app"):
        answer = await failing.get(f"/{failure}")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    (record,) = [record for record in caplog.records if record.name.startswith("target_app")]
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize(
    ("failure", "status"), [("unique", 409), ("foreign-key", 409), ("rule", 400), ("sign-in", 401)]
)
async def test_a_refusal_has_its_status(
    failing: httpx.AsyncClient, failure: str, status: int
) -> None:
    assert (await failing.get(f"/{failure}")).status_code == status


async def test_a_missing_row_is_404_and_named(failing: httpx.AsyncClient) -> None:
    answer = await failing.get("/missing")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "no row 7 in users"}


@pytest.mark.parametrize("failure", ["other-timeout", "syntax", "check", "interface", "file"])
async def test_a_failure_nobody_planned_for_is_not_disguised(
    failing: httpx.AsyncClient, failure: str
) -> None:
    with pytest.raises(type(FAILURES[failure])) as raised:
        await failing.get(f"/{failure}")

    assert raised.value is FAILURES[failure]


async def test_a_rejected_request_does_not_get_its_input_back(failing: httpx.AsyncClient) -> None:
    answer = await failing.get("/number/hunter2")

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["path", "number"]]
    assert "hunter2" not in answer.text


async def test_a_path_cannot_forge_a_line_of_the_log(
    failing: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await failing.get("/any/%0Aforged")

    assert "503 for GET '/any/\\nforged'" in caplog.text


async def test_a_malformed_host_does_not_turn_a_503_into_a_500(failing: httpx.AsyncClient) -> None:
    answer = await failing.get("/pool", headers={"Host": "[::1"})

    assert answer.status_code == 503
