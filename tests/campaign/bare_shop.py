"""The reference application as one that was never prepared for an empty pool.

Without its handler for it, or with one that takes the whole process down.
"""

from __future__ import annotations

import os
from typing import NoReturn

from fastapi import FastAPI, Request
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from target_app.main import create_app

__all__ = ["make", "make_mortal"]


def make() -> FastAPI:
    """The application without its answer to a timeout at the pool."""
    app = create_app()
    del app.exception_handlers[PoolTimeoutError]
    return app


def make_mortal() -> FastAPI:
    """The application as one that ends with the first timeout at the pool."""
    app = create_app()

    def end(_request: Request, _error: Exception) -> NoReturn:
        os._exit(1)

    app.exception_handlers[PoolTimeoutError] = end
    return app
