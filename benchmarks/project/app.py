"""The application, with an asyncpg engine made at import, as most applications have it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from benchmarks.project.models import Author

__all__ = ["app", "get_session"]

engine = create_async_engine(os.environ["BENCHMARK_APP_URL"])
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with AsyncSession(engine) as session:
        yield session


@app.post("/authors", status_code=201)
async def add_author(session: Annotated[AsyncSession, Depends(get_session)], name: str) -> None:
    """Commit, as applications do."""
    session.add(Author(name=name))
    await session.commit()
