"""The session maker travels in the lifespan state, which each request carries."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, Request
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


class State(TypedDict):
    """What the lifespan hands to requests."""

    sessions: async_sessionmaker[AsyncSession]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:  # noqa: ARG001 - FastAPI passes it
    engine = create_async_engine(os.environ["APPLICATION_DATABASE_URL"])
    yield {"sessions": async_sessionmaker(engine)}
    await engine.dispose()


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.sessions() as session, session.begin():
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
app = FastAPI(lifespan=lifespan)


@app.get("/notes")
async def list_notes(session: Session) -> list[str]:
    return list(await session.scalars(sql("SELECT text FROM notes")))


@app.post("/notes/{text}")
async def add_note(text: str, session: Session) -> None:
    await session.execute(sql("INSERT INTO notes VALUES (:text)"), {"text": text})
