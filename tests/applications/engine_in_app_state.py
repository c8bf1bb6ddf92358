"""The engine exists once the lifespan has started, in the application's state."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import create_async_engine


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.engine = create_async_engine(os.environ["APPLICATION_DATABASE_URL"])
    async with app.state.engine.begin() as connection:
        await connection.execute(sql("SELECT 1"))
    yield
    await app.state.engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/notes")
async def list_notes(request: Request) -> list[str]:
    async with request.app.state.engine.connect() as connection:
        return list(await connection.scalars(sql("SELECT text FROM notes")))


@app.post("/notes/{text}")
async def add_note(text: str, request: Request) -> None:
    async with request.app.state.engine.begin() as connection:
        await connection.execute(sql("INSERT INTO notes VALUES (:text)"), {"text": text})
