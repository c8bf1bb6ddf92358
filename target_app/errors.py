"""Which failure becomes which HTTP answer.

A module of its own so that repositories and services raise what happened, and HTTP status
codes for it stand in one place. Whatever is not named here stays a 500.

    RequestValidationError                               422
    NotFoundError                                        404
    RuleError (a rule of the business says no)           400
    AuthenticationError                                  401
    a unique or foreign key constraint says no           409
    pool exhausted (TimeoutError, code 3o7r)             503 with Retry-After
    the database is full, busy, restarting or gone       503 with Retry-After
    a statement or a pause took too long                 503 with Retry-After
    UnavailableError (the readiness check failed)        503 with Retry-After

What arrives when PostgreSQL cannot be reached depends on the driver, as measured: from asyncpg the
socket's `OSError` itself, never wrapped by SQLAlchemy, or a `DBAPIError` with a SQLSTATE where
the server answered; from psycopg always an `OperationalError`, always without a SQLSTATE.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.responses import Response

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1
POOL_EXHAUSTED = "3o7r"  # https://sqlalche.me/e/3o7r

# By the SQLSTATE of the PostgreSQL manual, appendix A, and by SQLite's name.
_CONFLICTS = {
    "23505": "a row with this value exists already",
    "SQLITE_CONSTRAINT_UNIQUE": "a row with this value exists already",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "a row with this value exists already",
    "23503": "a row that this one needs does not exist, or others still need this one",
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        "a row that this one needs does not exist, or others still need this one"
    ),
}
_UNAVAILABLE = (
    "08",  # the class of lost and refused connections
    "28",  # the class of refused log-ins: at the start they worked, see `check_database`
    "53",  # the class of used-up resources: too_many_connections, disk_full, out_of_memory
    "57",  # the class of interventions: statement_timeout, shutdown, cannot_connect_now
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "3D000",  # invalid_catalog_name: the database is gone
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
)


class Problem(BaseModel):
    """What an error answer says, for the documentation of the endpoints."""

    detail: str


_DESCRIPTIONS = {
    400: "The body cannot be read, or a rule of the business says no",
    401: "Name or password is wrong",
    404: "A row that the request names does not exist",
    409: "A unique or foreign key constraint says no",
    503: "The database has no time at present; try again after `Retry-After` seconds",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an endpoint that can answer with these error statuses.

    An endpoint with a body can answer 400: FastAPI does so where it is not UTF-8 or not JSON.
    """
    return {status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


class NotFoundError(LookupError):
    """The row that a request names does not exist."""

    def __init__(self, table: str, row_id: int) -> None:
        super().__init__(f"no row {row_id} in {table}")


class RuleError(ValueError):
    """A rule of the business forbids what the request asks for; the message says which."""


class AuthenticationError(Exception):
    """Name and password do not belong together; deliberately not said which is wrong.

    No `PermissionError`: that is an `OSError`, and those mean a database out of reach.
    """


class UnavailableError(RuntimeError):
    """The application cannot work at present; a later attempt may succeed."""


def add_error_handlers(app: FastAPI) -> None:
    """Register the table above on `app`."""
    for error in (
        RequestValidationError,
        NotFoundError,
        RuleError,
        AuthenticationError,
        UnavailableError,
        PoolTimeoutError,
        DBAPIError,
        OSError,
    ):
        app.add_exception_handler(error, _handle)


def answer_to(request: Request, error: Exception) -> Response | None:
    """Return the answer that the table has for this failure, or None where it has none."""
    if isinstance(error, RequestValidationError):
        # FastAPI's own handler repeats the input: secrets come back, and a lone surrogate
        # (valid JSON, not valid UTF-8) makes the answer itself fail, a 500.
        told = ("type", "loc", "msg")
        detail = [{key: problem[key] for key in told} for problem in error.errors()]
        return JSONResponse({"detail": detail}, status_code=422)
    if _is_unavailable(error):
        return _unavailable(request, error)
    status, words = _status_of(error)
    return None if status is None else JSONResponse({"detail": words}, status_code=status)


async def _handle(request: Request, error: Exception) -> Response:
    answer = answer_to(request, error)
    if answer is None:
        raise error
    return answer


def _status_of(error: Exception) -> tuple[int | None, str]:
    match error:
        case NotFoundError():
            return 404, str(error)
        case RuleError():
            return 400, str(error)
        case AuthenticationError():
            return 401, "name or password is wrong"
        case DBAPIError() if (code := _code_of(error)) in _CONFLICTS:
            return 409, _CONFLICTS[code]
        case _:
            return None, ""


def _is_unavailable(error: Exception) -> bool:
    match error:
        case UnavailableError():
            return True
        case PoolTimeoutError():
            return error.code == POOL_EXHAUSTED
        case DBAPIError():
            return error.connection_invalidated or _is_code_of_unavailable(error)
        case OSError():
            # Of all kinds: a name that does not resolve, a timeout, "Multiple exceptions" where
            # a host has two addresses. Errors of files are bugs; those name their file.
            return error.filename is None
        case _:
            return False


def _is_code_of_unavailable(error: DBAPIError) -> bool:
    code = _code_of(error)
    is_refused_by_libpq = not code and isinstance(error, OperationalError)
    return is_refused_by_libpq or code.startswith(_UNAVAILABLE)


def _code_of(error: DBAPIError) -> str:
    """Return the driver's name for the failure; psycopg, asyncpg: SQLSTATE, sqlite3: its own."""
    for attribute in ("sqlstate", "sqlite_errorname"):
        code = getattr(error.orig, attribute, None)
        if isinstance(code, str):
            return code
    return ""


def _unavailable(request: Request, error: Exception) -> Response:
    # One line without a stack trace: under overload this is logged for every refused request.
    # Not `request.url`: it fails on a malformed Host header. `%r`: a path may hold line ends.
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    logger.warning("503 for %s %r: %s", request.method, request.scope["path"], reason)
    return JSONResponse(
        {"detail": "the database has no time for this at present, try again"},
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
