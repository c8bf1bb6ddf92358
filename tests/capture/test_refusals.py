"""Loads that the ORM refused: which attribute, for whom, and where its object came from."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, select
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, defer, raiseload, selectinload
from sqlalchemy.orm.exc import DetachedInstanceError

from harness.capture import Phase, RefusalReason, RequestTracker, SourceMap, recording
from harness.pytest_plugin.queries import Queries
from target_app.models import Post, User


async def test_a_missing_greenlet_is_one_refusal_and_no_statement(
    db_session: AsyncSession, queries: Queries
) -> None:
    user = (await db_session.scalars(select(User).limit(1))).one()

    with pytest.raises(MissingGreenlet):
        _ = user.posts

    (refusal,) = queries.recording.refusals
    assert queries.count == 1
    assert (refusal.reason, refusal.attribute) == (RefusalReason.MISSING_GREENLET, "User.posts")
    assert refusal.call_site is not None
    assert refusal.call_site.code == "_ = user.posts"


async def test_an_expired_column_without_a_greenlet_is_named(
    db_session: AsyncSession, queries: Queries
) -> None:
    user = (await db_session.scalars(select(User).limit(1))).one()
    db_session.expire(user)

    with pytest.raises(MissingGreenlet):
        _ = user.name

    (refusal,) = queries.recording.refusals
    assert (refusal.attribute, refusal.is_relationship) == ("User.name", False)


def test_a_detached_object_is_traced_to_its_query(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder:
        with Session(blog) as session:
            users = session.scalars(select(User).options(selectinload(User.posts))).all()
        with pytest.raises(DetachedInstanceError):
            _ = users[0].posts[0].comments

    taken = recorder.snapshot()
    (refusal,) = taken.refusals
    assert (refusal.reason, refusal.attribute) == (RefusalReason.DETACHED, "Post.comments")
    assert refusal.relationship_path == ("User.posts", "Post.comments")
    assert refusal.parent_statements == (taken.round_trips[0].statement,)


@pytest.mark.parametrize(
    ("attribute", "option"),
    [("posts", raiseload(User.posts)), ("name", defer(User.name, raiseload=True))],
)
def test_a_forbidden_load_is_named(
    blog: Engine, source: SourceMap, attribute: str, option: object
) -> None:
    with recording(source) as recorder, Session(blog) as session:
        user = session.scalars(select(User).options(option)).first()  # type: ignore[arg-type] # either
        with pytest.raises(InvalidRequestError):
            getattr(user, attribute)

    (refusal,) = recorder.snapshot().refusals
    assert (refusal.reason, refusal.attribute) == (RefusalReason.FORBIDDEN, f"User.{attribute}")


def test_other_errors_of_these_classes_are_nothing(blog: Engine, source: SourceMap) -> None:
    with (
        recording(source) as recorder,
        Session(blog) as session,
        pytest.raises(InvalidRequestError),
    ):
        session.refresh(Post())

    assert recorder.snapshot().refusals == ()


async def test_a_refusal_in_the_serialisation_is_told_though_pydantic_hides_it(
    blog: Engine, source: SourceMap
) -> None:
    class UserOut(BaseModel):
        model_config = ConfigDict(from_attributes=True)

        posts: list[int]

    app, tracker = FastAPI(), RequestTracker()

    @app.get("/users", response_model=list[UserOut])
    async def users() -> Sequence[User]:
        with Session(blog) as session:
            return session.scalars(select(User)).all()

    transport = httpx.ASGITransport(tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with (
            recording(source, requests=tracker) as recorder,
            pytest.raises(ResponseValidationError),
        ):
            await client.get("/users")

    refusals = recorder.snapshot().refusals
    assert {(item.attribute, item.phase, item.request) for item in refusals} == {
        ("User.posts", Phase.SERIALISATION, 1)
    }
    assert len({item.parent_key for item in refusals}) == 3


def test_the_exceptions_are_as_before_afterwards(source: SourceMap) -> None:
    before = [vars(error).get("__init__") for error in (InvalidRequestError, DetachedInstanceError)]

    with pytest.raises(KeyboardInterrupt), recording(source), recording(source):
        raise KeyboardInterrupt

    after = [vars(error).get("__init__") for error in (InvalidRequestError, DetachedInstanceError)]
    assert after == before == [None, None]
