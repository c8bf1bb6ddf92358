"""The reference application with its faults switched on, in this process, and rows for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import URL, delete
from sqlalchemy.ext.asyncio import AsyncSession

from harness.capture import RequestTracker
from target_app.db import Database
from target_app.faults.catalogue import Fault
from target_app.main import create_app
from target_app.models import Base, Comment, Post, Tag, Todo, User
from target_app.settings import Settings

__all__ = ["FIRST_ID", "IDS", "MANY", "Planted", "planted", "request_for"]

MANY = 5
FIRST_ID = 1_000_001  # beyond what the databases' own sequences reach in these tests
IDS = range(FIRST_ID, FIRST_ID + MANY)


@dataclass(frozen=True, slots=True)
class Planted:
    """The application, and whoever calls it."""

    client: httpx.AsyncClient
    database: Database
    tracker: RequestTracker


def request_for(fault: Fault, rows: int) -> dict[str, Any]:
    """What asks this fault, or its twin, for so many rows."""
    match fault.name:
        case "inserts":
            titles = [f"Todo {n}" for n in range(rows)]
            return {"json": {"owner_id": FIRST_ID, "titles": titles}}
        case "updates":
            return {"json": {"todo_ids": list(IDS[:rows])}}
        case _:
            return {"params": {"limit": rows}}


@asynccontextmanager
async def planted(url: URL) -> AsyncIterator[Planted]:
    """Run the application on a database that holds nothing but rows for the faults."""
    settings = Settings(database_url=url.render_as_string(hide_password=False), faults=True)
    app = create_app(settings)
    tracker = RequestTracker()
    transport = httpx.ASGITransport(tracker.wrap(app))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        database: Database = app.state.database
        async with database.sessions() as session:
            await _arrange(session)
        yield Planted(client, database, tracker)


async def _arrange(session: AsyncSession) -> None:
    """Leave nothing but users with one post each, and below each post a comment and a reply."""
    for table in reversed(Base.metadata.sorted_tables):
        await session.execute(delete(table))
    tag = Tag(id=FIRST_ID, name="planted")
    for row_id in IDS:
        user = User(id=row_id, email=f"{row_id}@example.org", name=f"{row_id}", password_hash="x")
        post = Post(id=row_id, author=user, title=f"Post {row_id}", body="B", tags=[tag])
        comment = Comment(id=row_id, post=post, author=user, body="C")
        reply = Comment(id=row_id + MANY, post=post, author=user, body="R", parent=comment)
        session.add_all([comment, reply, Todo(id=row_id, owner=user, title="T")])
    await session.commit()
