"""The measured half of `probe`: a row by its key, and a page, served with or without the probe.

Prints its address as JSON, tells its own CPU time under ``/cpu`` and ends with its standard input.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.project.models import Author, Book
from harness.asgi.server import bound_socket, serve_on
from harness.capture.requests import ASGIApp
from harness.middleware import Probe

__all__ = ["application"]

_PAGE = 20


class BookRead(BaseModel):
    """A book of a page."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str


class AuthorRead(BaseModel):
    """A row of a page."""

    id: int
    name: str
    books: list[BookRead]


def application(url: str) -> FastAPI:
    """An application with one session per request, as in FastAPI's documentation."""
    sessions = async_sessionmaker(create_async_engine(make_url(url)), expire_on_commit=False)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    @app.get("/authors/{number}")
    async def author(
        number: int, db: Annotated[AsyncSession, Depends(session)]
    ) -> dict[str, int | str]:
        found = await db.get(Author, number)
        if found is None:
            raise HTTPException(404)
        return {"id": found.id, "name": found.name}

    @app.get("/pages/{number}")
    async def page(number: int, db: Annotated[AsyncSession, Depends(session)]) -> list[AuthorRead]:
        wanted = select(Author).where(Author.id > number).order_by(Author.id).limit(_PAGE)
        authors = (await db.scalars(wanted)).all()
        of_them = select(Book).where(Book.author_id.in_([author.id for author in authors]))
        books = (await db.scalars(of_them.order_by(Book.id))).all()
        return [
            AuthorRead(
                id=author.id,
                name=author.name,
                books=[
                    BookRead.model_validate(book) for book in books if book.author_id == author.id
                ],
            )
            for author in authors
        ]

    @app.get("/cpu")
    async def cpu() -> float:
        return time.process_time()

    return app


def main() -> None:
    """Serve what the environment names until standard input ends."""
    app: ASGIApp = application(os.environ["BENCHMARK_URL"])
    if os.environ["BENCHMARK_PROBE"] == "1":
        app = Probe(app, token="benchmark")  # noqa: S106 - nobody's secret
    threading.Thread(target=_stop_with_owner, daemon=True).start()
    listener = bound_socket("127.0.0.1", 0)
    told = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "pid": os.getpid()}
    serve_on(app, listener, ready=lambda: print(json.dumps(told), flush=True))


def _stop_with_owner() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
