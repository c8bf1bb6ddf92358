"""The engine and the application are made while the module is imported."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["APPLICATION_DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
settings = {"debug": False}


class Base(DeclarativeBase):
    """Declarative base."""


class Note(Base):
    """A note."""

    __tablename__ = "notes"
    text: Mapped[str] = mapped_column(primary_key=True)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


@app.get("/notes")
async def list_notes(session: Annotated[AsyncSession, Depends(get_session)]) -> list[str]:
    return list(await session.scalars(select(Note.text)))


@app.post("/notes/{text}")
async def add_note(text: str, session: Annotated[AsyncSession, Depends(get_session)]) -> None:
    session.add(Note(text=text))
    await session.commit()


async def write_later(text: str) -> None:
    async with sessions.begin() as session:
        session.add(Note(text=text))


@app.post("/later/{text}")
async def add_note_later(text: str, background: BackgroundTasks) -> None:
    background.add_task(write_later, text)
