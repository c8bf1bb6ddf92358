"""A factory makes the application, its engine and its routes."""

import os
from typing import Annotated, NoReturn

from fastapi import Depends, FastAPI, Request
from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

notes = Table("notes", MetaData(), Column("text", String, primary_key=True))


async def get_connection(request: Request) -> AsyncConnection:
    connection: AsyncConnection = request.state.connection
    return connection


Connection = Annotated[AsyncConnection, Depends(get_connection)]


async def list_notes(connection: Connection) -> list[str]:
    return list(await connection.scalars(select(notes.c.text)))


async def add_note(text: str, connection: Connection) -> None:
    await connection.execute(notes.insert().values(text=text))


def create_app() -> FastAPI:
    engine = create_async_engine(os.environ["APPLICATION_DATABASE_URL"])
    app = FastAPI()
    app.get("/notes")(list_notes)
    app.post("/notes/{text}")(add_note)

    @app.middleware("http")
    async def transaction(request: Request, call_next):  # type: ignore[no-untyped-def]  # noqa: ANN202, ANN001 - as people write it
        async with engine.begin() as connection:
            request.state.connection = connection
            return await call_next(request)

    return app


def create_broken_app() -> NoReturn:
    raise RuntimeError("SECRET_KEY is not set\nsee the documentation")


def create_nothing() -> None:
    """Return None, as a factory does that has lost its last line."""
