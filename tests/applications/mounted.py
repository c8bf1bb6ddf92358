"""All routes are in an application that is mounted on another, under middleware."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.middleware.cors import CORSMiddleware

sessions = async_sessionmaker(create_async_engine(os.environ["APPLICATION_DATABASE_URL"]))
api = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        yield session


async def get_name() -> str:
    return "world"


Session = Annotated[AsyncSession, Depends(get_session)]


@api.get("/notes")
async def list_notes(session: Session) -> list[str]:
    return list(await session.scalars(sql("SELECT text FROM notes")))


@api.post("/notes/{text}")
async def add_note(text: str, session: Session) -> None:
    await session.execute(sql("INSERT INTO notes VALUES (:text)"), {"text": text})


@api.get("/greeting")
async def greeting(name: Annotated[str, Depends(get_name)]) -> str:
    return f"hello {name}"


outer = FastAPI()
outer.mount("/api", api)
app = CORSMiddleware(outer, allow_origins=["*"])
