"""An application that lists authors in two ways, under a plain uvicorn: no harness, an echo log.

It counts by events of its own, too, for whoever compares. ``SHAPE`` is ``echo``, or ``silent``,
where a logging configuration has disabled the loggers that it does not know.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

__all__ = ["EchoingShop", "echoing_shop", "write_traffic"]

_APPLICATION = """
import logging.config
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from fastapi import FastAPI, Request
from sqlalchemy import ForeignKey, event, select
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

engine = create_async_engine("sqlite+aiosqlite:///shop.db", echo=True)
asked = ContextVar("asked", default="")
requests, statements = Counter(), Counter()


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    posts: Mapped[list["Post"]] = relationship()


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        session.add_all(Author(posts=[Post()]) for _ in range(20))
        await session.commit()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def note(request: Request, call_next):
    asked.set(f"{request.url.path}?{request.url.query}")
    requests[asked.get()] += 1
    return await call_next(request)


@event.listens_for(engine.sync_engine, "before_cursor_execute")
def count(*_) -> None:
    statements[asked.get()] += 1


@app.get("/events")
async def events() -> dict[str, float]:
    return {path: ran / requests[path] for path, ran in statements.items() if path}


@app.get("/lazy")
async def lazy(limit: int = 10) -> list[int]:
    async with AsyncSession(engine) as session:
        authors = await session.scalars(select(Author).limit(limit))
        return [len(await author.awaitable_attrs.posts) for author in authors.all()]


@app.get("/eager")
async def eager(limit: int = 10) -> list[int]:
    async with AsyncSession(engine) as session:
        query = select(Author).options(selectinload(Author.posts)).limit(limit)
        return [len(author.posts) for author in await session.scalars(query)]


if os.environ["SHAPE"] == "silent":
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
"""
_TRAFFIC = """
from locust import constant, task
from harness.load.users import HarnessUser

class Reader(HarnessUser):
    probe = "n_plus_one"
    wait_time = constant(0.01)

    @task
    def lazy(self) -> None:
        self.get("/lazy?limit={size}", size=self.page_size)

    @task
    def eager(self) -> None:
        self.get("/eager?limit={size}", size=self.page_size)
"""
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class EchoingShop:
    """Where it answers, and where its standard output is written."""

    url: str
    log: Path

    def by_events(self) -> dict[str, float]:
        """Statements per request so far, by path and query."""
        counted: dict[str, float] = httpx.get(f"{self.url}/events").json()
        return counted


@contextmanager
def echoing_shop(folder: Path, shape: str) -> Iterator[EchoingShop]:
    """A uvicorn for the block, in a folder of its own."""
    (folder / "shop.py").write_text(_APPLICATION, encoding="utf-8")
    log = folder / "shop.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "shop:app", "--fd", str(listener.fileno())],
            cwd=folder,
            env={**os.environ, "SHAPE": shape},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            # The socket listens already: whoever connects waits until somebody accepts.
            httpx.get(f"{url}/eager", timeout=_ANSWER_SECONDS).raise_for_status()
            yield EchoingShop(url, log)
        finally:
            process.terminate()
            process.wait()


def write_traffic(folder: Path) -> Path:
    """Locust's file for it."""
    file = folder / "readers.py"
    file.write_text(_TRAFFIC, encoding="utf-8")
    return file
