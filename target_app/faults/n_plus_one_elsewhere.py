"""N+1 where nobody looks: while FastAPI serialises the answer, in a dependency, after the answer.

The same family as `n_plus_one` and the same relationship throughout (`User.posts`); what differs
is which of the request's phases runs the queries, and whether a line of the endpoint shows them.
"""

import logging
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, status
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from target_app.db import BlockingSession, Database, DatabaseOfApp, Session
from target_app.faults.catalogue import Fault
from target_app.faults.n_plus_one import authors_with_selected_posts
from target_app.faults.schemas import Accepted, AuthorWithPosts
from target_app.models import User
from target_app.parameters import Page, Pagination
from target_app.repository import one_page

logger = logging.getLogger(__name__)
router = APIRouter()

_FAMILY = "n-plus-one"
_KIND = "n-plus-one"

_USERS = select(User).order_by(User.id)

SERIALISATION = Fault(
    family=_FAMILY,
    name="serialisation",
    cause="a `def` endpoint returns rows; `response_model` reads their relationship",
    symptom="slow although the endpoint's own code is fast: no line of it runs the queries",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(User.posts)`",
)


@router.get(SERIALISATION.path, response_model=list[AuthorWithPosts])
def authors_lazy_while_serialised(session: BlockingSession, page: Page) -> Sequence[User]:
    """One-to-many of a sync session, loaded after the endpoint has returned."""
    return session.scalars(one_page(_USERS, page)).all()


@router.get(SERIALISATION.twin_path, response_model=list[AuthorWithPosts])
def authors_loaded_before_serialised(session: BlockingSession, page: Page) -> Sequence[User]:
    """The twin of `authors_lazy_while_serialised`."""
    return session.scalars(one_page(_USERS.options(selectinload(User.posts)), page)).all()


DEPENDENCY = Fault(
    family=_FAMILY,
    name="dependency",
    cause="a dependency loads row by row, before the endpoint begins",
    symptom="every endpoint with this dependency is slow, and none of them shows why",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(User.posts)` in the dependency",
)


async def _lazy_authors(session: Session, page: Page) -> Sequence[User]:
    authors = await session.scalars(one_page(_USERS, page))
    return await _posts_one_by_one(authors.all())


@router.get(DEPENDENCY.path, response_model=list[AuthorWithPosts])
async def authors_of_lazy_dependency(
    authors: Annotated[Sequence[User], Depends(_lazy_authors)],
) -> Sequence[User]:
    """One-to-many, loaded before the endpoint begins."""
    return authors


@router.get(DEPENDENCY.twin_path, response_model=list[AuthorWithPosts])
async def authors_of_dependency(
    authors: Annotated[Sequence[User], Depends(authors_with_selected_posts)],
) -> Sequence[User]:
    """The twin of `authors_of_lazy_dependency`."""
    return authors


BACKGROUND = Fault(
    family=_FAMILY,
    name="background",
    method="POST",  # it starts work, so nothing may repeat it at will
    cause="a background task with a session of its own loads row by row",
    symptom="fast answers, but connections stay out and the database is busy long afterwards",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(User.posts)` in the task",
)


@router.post(BACKGROUND.path, status_code=status.HTTP_202_ACCEPTED)
async def digests_of_lazy_posts(
    database: DatabaseOfApp, page: Page, tasks: BackgroundTasks
) -> Accepted:
    """One-to-many, loaded after the answer."""
    tasks.add_task(_digests_one_by_one, database, page)
    return Accepted()


async def _digests_one_by_one(database: Database, page: Pagination) -> None:
    async with database.sessions() as session:
        authors = await session.scalars(one_page(_USERS, page))
        _log_digests(await _posts_one_by_one(authors.all()))


@router.post(BACKGROUND.twin_path, status_code=status.HTTP_202_ACCEPTED)
async def digests_of_selected_posts(
    database: DatabaseOfApp, page: Page, tasks: BackgroundTasks
) -> Accepted:
    """The twin of `digests_of_lazy_posts`."""
    tasks.add_task(_digests_at_once, database, page)
    return Accepted()


async def _digests_at_once(database: Database, page: Pagination) -> None:
    async with database.sessions() as session:
        authors = await session.scalars(one_page(_USERS.options(selectinload(User.posts)), page))
        _log_digests(authors.all())


def _log_digests(authors: Sequence[User]) -> None:
    for author in authors:
        logger.info("digest for user %d: %d posts", author.id, len(author.posts))


async def _posts_one_by_one(authors: Sequence[User]) -> Sequence[User]:
    for author in authors:
        await author.awaitable_attrs.posts
    return authors


FAULTS = (SERIALISATION, DEPENDENCY, BACKGROUND)
