"""The statements that `capture` measures with: the user's code, as a recorder sees it."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = ["Table", "core_async", "core_blocking", "orm_async", "orm_blocking", "rows"]

_CORE = select(literal(1))


class Table(DeclarativeBase):
    """Where the mapped class belongs."""


class Item(Table):
    """What is selected."""

    __tablename__ = "benchmark_items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def rows(connection: Connection) -> None:
    """One row."""
    connection.execute(insert(Item).values(id=1, name="one"))


def core_blocking(engine: Engine, count: int) -> None:
    """Select a constant."""
    with engine.connect() as connection:
        for _ in range(count):
            connection.execute(_CORE).all()


def orm_blocking(engine: Engine, count: int) -> None:
    """Select an object."""
    statement = select(Item).where(Item.id == 1)
    with Session(engine) as session:
        for _ in range(count):
            session.execute(statement).all()


async def core_async(engine: AsyncEngine, count: int) -> None:
    """Select a constant."""
    async with engine.connect() as connection:
        for _ in range(count):
            (await connection.execute(_CORE)).all()


async def orm_async(engine: AsyncEngine, count: int) -> None:
    """Select an object."""
    statement = select(Item).where(Item.id == 1)
    async with AsyncSession(engine) as session:
        for _ in range(count):
            (await session.execute(statement)).all()
