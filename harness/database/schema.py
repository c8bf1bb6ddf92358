"""Bring an empty database to the state that the application expects: tables, then rows.

Alembic runs as a process of its own, as a deployment runs it: its ``env.py`` may call
`asyncio.run`, reconfigures logging, and imports the application's settings from the environment.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from harness.database.sqlite.driver import require_aiosqlite
from harness.errors import ConfigurationError, TargetImportError

__all__ = ["Populate", "committed", "create_tables", "run_migrations", "write_rows"]

T = TypeVar("T")

Populate = Callable[..., Any]
"""Writes the base line of rows; an async function gets an `AsyncSession`, another a `Session`."""

_SHOWN_LINES = 4
_UPGRADE = """
import sys
from alembic import command
from alembic.config import Config
command.upgrade(Config(sys.argv[1]), "head")
"""


def run_migrations(ini: Path, *, environment: Mapping[str, str], root: Path) -> None:
    """Run ``alembic upgrade head``.

    Args:
        ini: The ``alembic.ini``.
        environment: What the application reads its database URL from.
        root: Working directory and import path, as for the application.

    Raises:
        ConfigurationError: If the file is missing or a migration fails.
    """
    if not ini.is_file():
        raise ConfigurationError(f"there is no {ini}", where="alembic in [tool.harness]")
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _UPGRADE, str(ini)],
        cwd=root,
        env={**os.environ, **environment, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise ConfigurationError(
            "alembic upgrade head failed:\n" + _last_lines(ended.stderr),
            where=str(ini),
            remedy="does env.py take its URL from a variable in [tool.harness.env]?",
        )


def create_tables(url: URL, metadata: MetaData) -> None:
    """Run ``create_all``.

    Raises:
        ConfigurationError: A type or a default that SQLite, asked for, does not have.
    """
    try:
        committed(url, metadata.create_all)
    except CompileError as error:
        if url.get_backend_name() != "sqlite":
            raise
        raise ConfigurationError(
            f"SQLite cannot have these tables: {error}".partition("\n")[0],
            where='postgres = "sqlite" in [tool.harness]',
            remedy='postgres = "embedded" is a PostgreSQL; or use a type that both have, such as '
            'JSON().with_variant(JSONB(), "postgresql")',
        ) from error


def committed(url: URL, work: Callable[[Connection], T]) -> T:
    """What a function of a connection returns, with what it wrote committed.

    Args:
        url: Of the database, with an async driver; none is needed for SQLite.
        work: The function.
    """
    if url.get_backend_name() == "sqlite":
        with _on_sqlite(url) as engine, engine.begin() as connection:
            return work(connection)
    results: list[T] = []

    async def run() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            results.append(await connection.run_sync(work))

    run_apart(run())
    return results[0]


def metadata_of(found: object, *, target: str) -> MetaData:
    """The metadata behind a configured target, which may be a declarative base.

    Raises:
        TargetImportError: If it is neither.
    """
    metadata = getattr(found, "metadata", found)
    if not isinstance(metadata, MetaData):
        kind = type(found).__name__
        raise TargetImportError(f"{target!r} is of type {kind}, not a MetaData or a Base")
    return metadata


def write_rows(url: URL, populate: Populate) -> None:
    """Call the configured function with a session and commit.

    Raises:
        MissingExtraError: A coroutine needs a driver that is not there.
    """
    if url.get_backend_name() == "sqlite" and not inspect.iscoroutinefunction(populate):
        with _on_sqlite(url) as engine, Session(engine, expire_on_commit=False) as session:
            populate(session)
            session.commit()
        return
    if url.get_backend_name() == "sqlite":
        require_aiosqlite(why="a `populate` that is a coroutine works")

    async def write() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            if inspect.iscoroutinefunction(populate):
                await populate(session)
            else:
                await session.run_sync(populate)

    run_apart(write())


@contextmanager
def _on_sqlite(url: URL) -> Iterator[Engine]:
    """Through Python's own driver: an application that blocks need not have aiosqlite."""
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of its own, whatever this thread's loop is doing."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    # Whose set-up it is stands in the context.
    thread = threading.Thread(target=copy_context().run, args=[run], name="harness set-up")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
