"""The application in this process, on a database of its own, without the harness's isolation.

For what a rolled-back test cannot see: commits, pools, connections that end. Requests go through
httpx, or step by step through `Exchange`, which sees what a server sees and when.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from sqlalchemy import URL
from sqlalchemy.pool import QueuePool
from starlette.types import Message, Scope

from target_app.db import Database
from target_app.main import create_app
from target_app.models import Base, User
from target_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Running:
    """A started application."""

    app: FastAPI
    client: httpx.AsyncClient

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    @property
    def connections_out(self) -> int:
        pool = self.database.engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout()

    async def add(self, *rows: Base) -> None:
        """Commit these rows."""
        async with self.database.sessions() as session:
            session.add_all(rows)
            await session.commit()

    async def add_user(self, name: str = "Ada") -> User:
        user = User(email=f"{name.lower()}@example.org", name=name, password_hash="x")
        await self.add(user)
        return user


@asynccontextmanager
async def running(url: URL, *routers: APIRouter, **settings: Any) -> AsyncIterator[Running]:  # noqa: ANN401 - a field each
    """Start the application on a database, with routes that only a test needs."""
    address = url.render_as_string(hide_password=False)
    app = create_app(Settings(database_url=address, **settings))
    for router in routers:
        app.include_router(router)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield Running(app, client)


def load_faults(url: URL, **settings: Any) -> AbstractAsyncContextManager[Running]:  # noqa: ANN401 - as above
    """Start it with the load faults and not with the others, whose routes take time to build."""
    return running(url, faults=False, load_faults=True, **settings)


@dataclass(slots=True)
class Exchange:
    """One request, by a client that may read slowly or go away.

    `seen` gets the type of every message at the moment when it is sent.
    """

    path: str
    method: str = "GET"
    body: object = None
    pause_after_chunks: int = 0
    seen: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _chunks: int = 0
    _is_asked: bool = False

    async def run(self, app: FastAPI) -> None:
        await app(self._scope(), self._receive, self._send)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def lines(self) -> Sequence[Any]:
        body = b"".join(message.get("body", b"") for message in self.messages)
        return [json.loads(line) for line in body.splitlines()]

    def _scope(self) -> Scope:
        return {
            "type": "http",
            # As uvicorn has it: Starlette listens for the disconnect while it streams.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"test"), (b"content-type", b"application/json")],
            "server": ("test", 80),
            "client": ("test", 1),
        }

    async def _receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            body = b"" if self.body is None else json.dumps(self.body).encode()
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.seen.append(message["type"])
        self.messages.append(message)
        self._chunks += bool(message.get("body"))
        if self.pause_after_chunks and self._chunks == self.pause_after_chunks:
            self.paused.set()
            await self.resumed.wait()
