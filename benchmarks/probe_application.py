"""The small application of `probe`: a row by its key, and a page, one session for each request.

A module of its own because it is loaded by name, in the process that serves it, as anybody's is.
"""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.project.models import Author, Book

__all__ = ["create_app"]

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


def create_app() -> FastAPI:
    """An application with one session per request, as in FastAPI's documentation."""
    url = make_url(os.environ["BENCHMARK_URL"])
    sessions = async_sessionmaker(create_async_engine(url), expire_on_commit=False)
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

    return app
