"""Endpoints that write, and then end in every way in which a request can end."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Response, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import BlockingSession, DatabaseOfApp, Session, get_session
from target_app.models import Comment, Post, Tag, User

LateSession = Annotated[AsyncSession, Depends(get_session, scope="request")]
"""What FastAPI does by default: the code after the `yield` runs after the last byte."""

routes = APIRouter(prefix="/probe")


def _tag(name: str) -> Tag:
    return Tag(name=name)


async def _orphan(session: AsyncSession) -> None:
    """Store what only the COMMIT refuses: a reply to nothing."""
    post = Post(author=await session.scalar(select(User)), title="T", body="B")
    session.add(Comment(post=post, author=post.author, body="C", parent_id=2147483647))
    await session.flush()


@routes.post("/function", status_code=201)
async def write(session: Session) -> None:
    session.add(_tag("function"))


@routes.post("/request", status_code=201)
async def write_late(session: LateSession) -> None:
    session.add(_tag("request"))


@routes.post("/request-orphan", status_code=201)
async def write_orphan_late(session: LateSession) -> None:
    await _orphan(session)


@routes.post("/background", status_code=201)
async def write_and_look_again(
    session: Session, database: DatabaseOfApp, tasks: BackgroundTasks
) -> None:
    session.add(_tag("background"))

    async def copy() -> None:
        async with database.sessions() as other:
            tag = await other.scalar(select(Tag).where(Tag.name == "background"))
            other.add(_tag("seen" if tag else "unseen"))
            await other.commit()

    tasks.add_task(copy)


@routes.post("/orphan", status_code=201)
async def write_orphan(session: Session, database: DatabaseOfApp, tasks: BackgroundTasks) -> None:
    await _orphan(session)

    async def never() -> None:
        async with database.sessions() as other:
            other.add(_tag("too-early"))
            await other.commit()

    tasks.add_task(never)


@routes.post("/orphan-stream")
async def write_orphan_and_stream(session: Session) -> StreamingResponse:
    await _orphan(session)
    return StreamingResponse(iter(["never", "sent"]))


@routes.post("/returned", status_code=422)
async def write_and_return_an_error(session: Session, response: Response) -> None:
    session.add(_tag("returned"))
    await session.flush()
    response.status_code = 409


@routes.post("/raised")
async def write_and_raise(session: Session) -> None:
    session.add(_tag("raised"))
    await session.flush()
    raise HTTPException(418)


@routes.post("/broken")
async def write_and_break(session: Session) -> None:
    session.add(_tag("broken"))
    await session.flush()
    raise LookupError


@routes.post("/forbidden")
async def write_what_a_check_refuses(session: Session) -> None:
    session.add(User(email="no at sign", name="N", password_hash="x"))


@routes.post("/waiting")
async def write_and_wait(session: Session) -> None:
    session.add(_tag("waiting"))
    await session.flush()
    await asyncio.Event().wait()


@routes.get("/without-sql")
async def without_sql(session: Session) -> bool:
    return session.in_transaction()


@routes.post("/blocking", status_code=201)
def write_in_a_thread(session: BlockingSession) -> None:
    session.add(_tag("blocking"))


@routes.websocket("/socket")
async def socket(websocket: WebSocket, session: Session) -> None:
    await websocket.accept()
    session.add(_tag("socket"))
    await websocket.close()
