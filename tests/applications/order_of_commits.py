"""Each way to come before a COMMIT that one takes for done, beside a twin that waits for it."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["SHOP_DATABASE_URL"])
sessions = async_sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]


class Visit(Base):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)


async def get_session() -> AsyncIterator[AsyncSession]:
    """Commits when the response has been sent."""
    async with sessions() as session:
        yield session
        await session.commit()


async def get_plain_session() -> AsyncIterator[AsyncSession]:
    """Leaves the commit to the endpoint."""
    async with sessions() as session:
        yield session


Late = Annotated[AsyncSession, Depends(get_session)]
Early = Annotated[AsyncSession, Depends(get_session, scope="function")]
Plain = Annotated[AsyncSession, Depends(get_plain_session)]


async def count_orders() -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(Order)) or 0


async def count_visits() -> None:
    async with sessions() as session:
        await session.scalar(select(func.count()).select_from(Visit))


async def note_visit() -> None:
    async with sessions() as session:
        session.add(Visit())
        await session.commit()


# commit-after-response: what was added, what was flushed, and what was changed.
@app.post("/late/added")
async def late_added(session: Late) -> None:
    session.add(Order(note="added"))


@app.post("/late/flushed")
async def late_flushed(session: Late) -> None:
    session.add(Order(note="flushed"))
    await session.flush()


@app.post("/late/changed")
async def late_changed(session: Late) -> None:
    for order in await session.scalars(select(Order)):
        order.note += " and changed"


@app.post("/early/function")
async def early_function(session: Early) -> None:
    session.add(Order(note="committed when the endpoint returns"))


@app.post("/early/endpoint")
async def early_endpoint(session: Late) -> None:
    session.add(Order(note="committed by the endpoint"))
    await session.commit()


@app.post("/early/undone")
async def early_undone(session: Plain) -> None:
    session.add(Order(note="rolled back, which nobody takes for done"))
    await session.flush()


@app.get("/early/read")
async def early_read(session: Late) -> int:
    return await session.scalar(select(func.count()).select_from(Order)) or 0


@app.post("/early/task")
async def early_task(session: Early, tasks: BackgroundTasks) -> None:
    session.add(Order(note="committed before the task writes rows of its own"))
    tasks.add_task(note_visit)


# background-before-commit
@app.post("/task/before")
async def task_before(session: Late, tasks: BackgroundTasks) -> None:
    session.add(Order(note="not there for the task"))
    tasks.add_task(count_orders)


@app.post("/task/after")
async def task_after(session: Early, tasks: BackgroundTasks) -> None:
    session.add(Order(note="there for the task"))
    tasks.add_task(count_orders)


@app.post("/task/elsewhere")
async def task_elsewhere(session: Late, tasks: BackgroundTasks) -> None:
    session.add(Order(note="of no concern to the task"))
    tasks.add_task(count_visits)


# read-of-uncommitted-row
@app.post("/read/uncommitted")
async def read_uncommitted(session: Plain) -> int:
    session.add(Order(note="not there for the second session"))
    await session.flush()
    count = await count_orders()
    await session.commit()
    return count


@app.post("/read/committed")
async def read_committed(session: Plain) -> int:
    session.add(Order(note="there for the second session"))
    await session.commit()
    return await count_orders()


@app.post("/read/elsewhere")
async def read_elsewhere(session: Plain) -> None:
    session.add(Order(note="of no concern to the second session"))
    await session.flush()
    await count_visits()
    await session.commit()
