"""A library whose endpoints do what a scan has to tell apart; rows of its own it has none."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from sqlalchemy import CheckConstraint, ForeignKey, func, select
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

engine = create_async_engine(os.environ["LIBRARY_DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(AsyncAttrs, DeclarativeBase):
    """Declarative base."""


class Author(Base):
    """Someone who writes."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    """What was written."""

    __tablename__ = "books"
    isbn: Mapped[str] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    loans: Mapped[list["Loan"]] = relationship(back_populates="book")


class Loan(Base):
    """Who has it."""

    __tablename__ = "loans"
    id: Mapped[int] = mapped_column(primary_key=True)
    isbn: Mapped[str] = mapped_column(ForeignKey("books.isbn"))
    book: Mapped[Book] = relationship(back_populates="loans")


class Visit(Base):
    """Written by reading."""

    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)


class Seal(Base):
    """Nobody can guess one."""

    __tablename__ = "seals"
    __table_args__ = (CheckConstraint("md5(word) LIKE 'ffffff%'", name="is_sealed"),)
    word: Mapped[str] = mapped_column(primary_key=True)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


def current_user(token: Annotated[str, Header()] = "") -> str:
    raise HTTPException(401, token)


def somebody() -> str:
    """Stands in for `current_user` in scans."""
    return "Ada"


def current_owner() -> str:
    raise HTTPException(403)


@app.get("/authors")
async def authors_one_by_one(session: Session, limit: int = 2) -> list[int]:
    authors = await session.scalars(select(Author).order_by(Author.id).limit(limit))
    return [len(await author.awaitable_attrs.books) for author in authors.all()]


@app.get("/books")
async def books(session: Session) -> dict[str, list[str]]:
    found = await session.scalars(select(Book).options(selectinload(Book.author)))
    return {"items": [book.author.name for book in found]}


@app.get("/books/{isbn}")
async def one_book(isbn: str, session: Session) -> str:
    book = await session.get(Book, isbn)
    if book is None:
        raise HTTPException(404)
    return book.isbn


@app.get("/authors/{author_id}/books")
async def books_of_one_author(author_id: int, session: Session) -> list[int]:
    of_author = select(Book).where(Book.author_id == author_id)
    return [len(await book.awaitable_attrs.loans) for book in await session.scalars(of_author)]


@app.get("/me")
async def me(user: Annotated[str, Depends(current_user)], session: Session) -> int:
    return len(user) + (await session.scalar(select(func.count()).select_from(Author)) or 0)


@app.get("/mine")
async def mine(user: Annotated[str, Depends(current_owner)]) -> str:
    return user


@app.get("/visits")
async def visits(session: Session) -> list[int]:
    session.add(Visit())
    await session.commit()
    return list(await session.scalars(select(Visit.id)))


@app.get("/seals/{number}")
async def seal(number: int) -> None:
    raise HTTPException(404, str(number))


@app.get("/broken")
async def broken() -> None:
    raise KeyError("what generated rows do not have")


@app.get("/inward")
async def inward(secret: Annotated[str, Header()]) -> str:
    return secret


@app.get("/capped")
async def capped(session: Session) -> list[str]:
    return list(await session.scalars(select(Author.name).order_by(Author.id).limit(1)))


@app.get("/unending")
async def unending() -> StreamingResponse:
    async def twice() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    return StreamingResponse(twice())
