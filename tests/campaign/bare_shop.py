"""The reference application as one that was never prepared for an empty pool: no handler for it."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from target_app.main import create_app

__all__ = ["make"]


def make() -> FastAPI:
    """The application without its answer to a timeout at the pool."""
    app = create_app()
    del app.exception_handlers[PoolTimeoutError]
    return app
