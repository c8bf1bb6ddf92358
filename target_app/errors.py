"""Which failure becomes which HTTP answer.

A module of its own so that repositories and services raise what happened, and HTTP status
codes for it stand in one place. Whatever is not named here stays a 500.

    RequestValidationError                                 422
    NotFoundError                                          404
    IntegrityError, sqlstate 23505 (unique_violation)      409
    TimeoutError, code 3o7r (pool exhausted)               503 with Retry-After
    DBAPIError, sqlstate 53300 (too_many_connections)      503 with Retry-After
    UnavailableError (the readiness check failed)          503 with Retry-After
"""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1
POOL_EXHAUSTED = "3o7r"  # https://sqlalche.me/e/3o7r
TOO_MANY_CONNECTIONS = "53300"  # PostgreSQL manual, appendix A
UNIQUE_VIOLATION = "23505"


class NotFoundError(LookupError):
    """The row that a request names does not exist."""

    def __init__(self, table: str, row_id: int) -> None:
        super().__init__(f"no row {row_id} in {table}")


class UnavailableError(RuntimeError):
    """The application cannot work at present; a later attempt may succeed."""


def add_error_handlers(app: FastAPI) -> None:
    """Register the table above on `app`."""
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(PoolTimeoutError, _pool_timeout)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(UnavailableError, _unavailable)


async def _unprocessable(_request: Request, error: Exception) -> JSONResponse:
    # FastAPI's own handler repeats the input: secrets come back, and a lone surrogate
    # (valid JSON, not valid UTF-8) makes the answer itself fail, a 500.
    if not isinstance(error, RequestValidationError):
        raise error
    told = ("type", "loc", "msg")
    detail = [{key: problem[key] for key in told} for problem in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


async def _not_found(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)


async def _pool_timeout(request: Request, error: Exception) -> JSONResponse:
    if getattr(error, "code", None) != POOL_EXHAUSTED:
        raise error
    return await _unavailable(request, error)


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None)
    if sqlstate == TOO_MANY_CONNECTIONS:
        return await _unavailable(request, error)
    if sqlstate == UNIQUE_VIOLATION:
        return JSONResponse({"detail": "a row with this value exists already"}, status_code=409)
    raise error


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    # One line without a stack trace: under overload this is logged for every refused request.
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    logger.warning("503 for %s %s: %s", request.method, request.url.path, reason)
    return JSONResponse(
        {"detail": "no database connection available, try again"},
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
