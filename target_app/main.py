"""The application factory and its lifespan.

A module of its own, and a factory rather than an instance, so that importing it does nothing:
settings are read when the application is made, the database is opened when it starts.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from target_app import (
    accounts,
    exports,
    faults,
    health,
    orders,
    posts,
    products,
    reports,
    sync_twin,
    todos,
    users,
)
from target_app.db import open_database
from target_app.db.startup import check_database
from target_app.db.transaction import TransactionMiddleware
from target_app.errors import add_error_handlers, problems
from target_app.settings import Settings, get_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; `settings` default to those of the process.

    Raises:
        pydantic.ValidationError: No settings were given and the environment's are wrong.
    """
    settings = settings or get_settings()
    app = FastAPI(
        title="target_app",
        debug=settings.debug,
        lifespan=_lifespan(settings),
        responses=problems(503),
    )
    add_error_handlers(app)
    if settings.unit_of_work == "middleware":
        app.add_middleware(TransactionMiddleware)
    app.include_router(health.router)
    app.include_router(users.router)
    app.include_router(posts.router)
    app.include_router(reports.router)
    app.include_router(exports.router)
    app.include_router(accounts.router)
    app.include_router(products.router)
    app.include_router(orders.router)
    app.include_router(todos.router)
    app.include_router(sync_twin.router)
    if settings.faults:
        app.include_router(faults.router)
    if settings.load_faults:
        # Here, because it brings an HTTP client along, which is imported for nothing otherwise.
        from target_app.faults import load  # noqa: PLC0415

        app.include_router(load.router)
    return app


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_database(settings) as database:
            await check_database(database.engine)
            app.state.database = database
            yield

    return lifespan
