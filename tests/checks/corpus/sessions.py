"""Where the corpus's handlers get their sessions from, and the rows that they find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from tests.checks.corpus.models import (
    Author,
    Base,
    Book,
    Car,
    Category,
    Genre,
    Line,
    Note,
    Page,
    Passport,
    Review,
    Shelf,
    Slot,
    Truck,
)

__all__ = [
    "Async",
    "AsyncMaker",
    "Databases",
    "Sync",
    "SyncMaker",
    "filled",
    "on_postgresql",
    "on_sqlite",
]

ROWS = 5


@dataclass(frozen=True, slots=True)
class Databases:
    """One database, through a driver that blocks and one that is awaited."""

    sync: Engine
    awaited: AsyncEngine

    def close(self) -> None:
        """Let go of what is pooled."""
        self.sync.dispose()


def on_sqlite(file: Path) -> Databases:
    """A file of SQLite."""
    return _opened(f"sqlite:///{file}", f"sqlite+aiosqlite:///{file}")


def on_postgresql(url: URL) -> Databases:
    """A database that nobody else works on."""
    return _opened(
        url.set(drivername="postgresql+psycopg"), url.set(drivername="postgresql+asyncpg")
    )


def filled(databases: Databases) -> None:
    """Make the tables and rows of the corpus."""
    Base.metadata.create_all(databases.sync)
    with Session(databases.sync) as session:
        _fill(session)
        session.commit()


def _opened(sync: URL | str, awaited: URL | str) -> Databases:
    return Databases(
        create_engine(sync, poolclass=NullPool), create_async_engine(awaited, poolclass=NullPool)
    )


def _fill(session: Session) -> None:
    genres = [Genre(name=f"Genre {n}") for n in range(ROWS)]
    for n in range(1, ROWS + 1):
        author = Author(
            id=n, name=f"Author {n}", biography="Born.", passport=Passport(number=f"P{n}")
        )
        author.books = [
            Book(
                title=f"Book {n}.{k}",
                genres=[genres[n - 1], genres[n % ROWS]],
                reviews=[Review(text="Good."), Review(text="Bad.")],
            )
            for k in range(2)
        ]
        author.notes.add_all([Note(text="Once."), Note(text="Twice.")])
        shelf = Shelf(room=1, number=n, slots=[Slot(), Slot()])
        page = Page(id=n, lines=[Line(text="First."), Line(text="Second.")])
        session.add_all([author, shelf, page, Car(doors=n), Truck(load=n)])
    roots = [Category(name=f"Root {n}") for n in range(ROWS)]
    for root in roots:
        root.children = [Category(name=f"{root.name}.{k}") for k in range(2)]
    session.add_all(roots)


def _databases(request: Request) -> Databases:
    databases: Databases = request.app.state.databases
    return databases


def _sync_maker(databases: Annotated[Databases, Depends(_databases)]) -> sessionmaker[Session]:
    return sessionmaker(databases.sync)


async def _async_maker(
    databases: Annotated[Databases, Depends(_databases)],
) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(databases.awaited)


SyncMaker = Annotated[sessionmaker[Session], Depends(_sync_maker)]
AsyncMaker = Annotated[async_sessionmaker[AsyncSession], Depends(_async_maker)]


def _sync_session(maker: SyncMaker) -> Iterator[Session]:
    with maker() as session:
        yield session


async def _async_session(maker: AsyncMaker) -> AsyncIterator[AsyncSession]:
    async with maker() as session:
        yield session


Sync = Annotated[Session, Depends(_sync_session)]
Async = Annotated[AsyncSession, Depends(_async_session)]
