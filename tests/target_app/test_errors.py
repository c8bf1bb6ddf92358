"""Each failure of the database becomes the HTTP answer that a client can act on."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from target_app.errors import NotFoundError, UnavailableError, add_error_handlers


class DriverError(Exception):
    """What a driver raises: an exception with an sqlstate."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"driver says {sqlstate}\nand more on a second line")
        self.sqlstate = sqlstate


FAILURES: dict[str, Exception] = {
    "pool": PoolTimeoutError("QueuePool limit reached", code="3o7r"),
    "other-timeout": PoolTimeoutError("something else"),
    "clients": DBAPIError("SELECT 1", {}, DriverError("53300")),
    "syntax": DBAPIError("SELEC 1", {}, DriverError("42601")),
    "unique": IntegrityError("INSERT", {}, DriverError("23505")),
    "foreign-key": IntegrityError("INSERT", {}, DriverError("23503")),
    "missing": NotFoundError("users", 7),
    "not-ready": UnavailableError("the database does not answer"),
}


@pytest_asyncio.fixture
async def failing() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client whose `GET /{failure}` raises the failure of that name."""
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    @app.get("/{failure}")
    async def fail(failure: str) -> None:
        raise FAILURES[failure]

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("failure", ["pool", "clients", "not-ready"])
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


async def test_a_unique_violation_is_409(failing: httpx.AsyncClient) -> None:
    assert (await failing.get("/unique")).status_code == 409


async def test_a_missing_row_is_404_and_named(failing: httpx.AsyncClient) -> None:
    answer = await failing.get("/missing")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "no row 7 in users"}


@pytest.mark.parametrize("failure", ["other-timeout", "syntax", "foreign-key"])
async def test_a_failure_nobody_planned_for_is_not_disguised(
    failing: httpx.AsyncClient, failure: str
) -> None:
    with pytest.raises(SQLAlchemyError) as raised:
        await failing.get(f"/{failure}")

    assert raised.value is FAILURES[failure]


async def test_a_rejected_request_does_not_get_its_input_back(failing: httpx.AsyncClient) -> None:
    answer = await failing.get("/number/hunter2")

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["path", "number"]]
    assert "hunter2" not in answer.text
