"""Handlers that run one statement over and over, or columns, or writes one by one."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from tests.checks.corpus.labels import finds
from tests.checks.corpus.models import Author, Book, Category, Genre, Note, Review, Vehicle
from tests.checks.corpus.sessions import Async, AsyncMaker, Sync

IDS = range(1, 6)


@finds("n-plus-one")
def get_in_a_loop(session: Sync) -> Any:
    return [author.name for n in IDS if (author := session.get(Author, n))]


@finds("n-plus-one")
async def awaited_get_in_a_loop(session: Async) -> Any:
    return [author.name for n in IDS if (author := await session.get(Author, n))]


@finds("n-plus-one")
def select_by_foreign_key_in_a_loop(session: Sync) -> Any:
    counts = {}
    for author in session.scalars(select(Author)).all():
        books = session.scalars(select(Book).where(Book.author_id == author.id)).all()
        counts[author.name] = len(books)
    return counts


@finds("n-plus-one")
def count_in_a_loop(session: Sync) -> Any:
    def books_of(author_id: int) -> int | None:
        query = select(func.count()).select_from(Book).where(Book.author_id == author_id)
        return session.scalar(query)

    return [books_of(n) for n in IDS]


@finds("n-plus-one")
def core_select_in_a_loop(session: Sync) -> Any:
    table, connection = Book.__table__, session.connection()
    query = select(table.c.title)
    return [connection.execute(query.where(table.c.author_id == n)).scalars().all() for n in IDS]


@finds("n-plus-one")
def text_in_a_loop(session: Sync) -> Any:
    query = text("SELECT title FROM books WHERE author_id = :author_id")
    return [session.execute(query, {"author_id": n}).scalars().all() for n in IDS]


@finds("n-plus-one")
def text_with_literals_in_a_loop(session: Sync) -> Any:
    titles: list[str] = []
    for n in IDS:
        query = text(f"SELECT title FROM books WHERE author_id = {n}")
        titles += session.execute(query).scalars().all()
    return titles


@finds("n-plus-one")
def exists_in_a_loop(session: Sync) -> Any:
    names = [f"Genre {n}" for n in range(4)]
    return [session.scalar(select(exists().where(Genre.name == name))) for name in names]


async def _newest(session: AsyncSession, author_id: int) -> str | None:
    query = select(Book.title).where(Book.author_id == author_id).order_by(Book.id.desc()).limit(1)
    return await session.scalar(query)


@finds("n-plus-one")
async def in_a_function_that_is_awaited_in_a_loop(session: Async) -> Any:
    return [await _newest(session, n) for n in IDS]


@finds("n-plus-one")
def a_write_only_collection_of_each_parent(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    return [len(session.scalars(author.notes.select()).all()) for author in authors]


@finds("n-plus-one")
def up_a_tree_one_step_at_a_time(session: Sync) -> Any:
    path = []
    inner = select(Category.parent_id).where(Category.parent_id.is_not(None)).distinct()
    for parent_id in session.scalars(inner).all():
        path.append(session.scalar(select(Category.name).where(Category.id == parent_id)))
    return path


async def _title_of(maker: async_sessionmaker[AsyncSession], author_id: int) -> str | None:
    async with maker() as session:
        return await _newest(session, author_id)


@finds("fan-out")
async def siblings_side_by_side(maker: AsyncMaker) -> Any:
    return await asyncio.gather(*(_title_of(maker, n) for n in IDS))


@finds("fan-out")
async def siblings_in_a_task_group(maker: AsyncMaker) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_title_of(maker, n)) for n in IDS]
    return [task.result() for task in tasks]


@finds("repeated-sequence")
def two_statements_for_each(session: Sync) -> Any:
    answers = []
    for n in IDS:
        name = session.scalar(select(Author.name).where(Author.id == n))
        books = session.scalar(select(func.count()).where(Book.author_id == n))
        answers.append((name, books))
    return answers


@finds("repeated-sequence")
async def three_awaited_statements_for_each(session: Async) -> Any:
    answers = []
    for n in IDS:
        answers.append(await session.scalar(select(Author.name).where(Author.id == n)))
        answers.append(await session.scalar(select(func.count()).where(Book.author_id == n)))
        answers.append(await session.scalar(select(func.max(Note.id)).where(Note.author_id == n)))
    return answers


@finds("column-reload", "Author")
def a_deferred_column_of_each(session: Sync) -> Any:
    return [author.biography for author in session.scalars(select(Author)).all()]


@finds("column-reload", "Author")
def attributes_after_a_commit(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    session.commit()
    return [author.name for author in authors]


@finds("column-reload", "Author")
def refresh_in_a_loop(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    for author in authors:
        session.refresh(author)
    return len(authors)


@finds("column-reload")
def columns_of_a_subclass(session: Sync) -> Any:
    vehicles = session.scalars(select(Vehicle).where(Vehicle.kind == "car")).all()
    return [vehicle.doors for vehicle in vehicles]  # type: ignore[attr-defined]


@finds("redundant-read")
def the_same_question_again_and_again(session: Sync) -> Any:
    def limit() -> int | None:
        return session.scalar(select(func.max(Book.price)))

    return [price for price in range(4) if price < (limit() or 0)]


@finds("write-loop")
def an_update_for_each(session: Sync) -> Any:
    for n in IDS:
        session.execute(update(Book).where(Book.author_id == n).values(price=n))
    session.rollback()
    return "done"


@finds("write-loop")
async def an_insert_for_each(session: Async) -> Any:
    for n in IDS:
        await session.execute(insert(Genre).values(name=f"New {n}"))
    await session.rollback()
    return "done"


@finds("write-loop")
def a_delete_for_each(session: Sync) -> Any:
    for n in IDS:
        session.execute(delete(Review).where(Review.id == n))
    session.rollback()
    return "done"


@finds("flush-in-loop")
def a_flush_for_each(session: Sync) -> Any:
    ids = []
    for n in IDS:
        genre = Genre(name=f"New {n}")
        session.add(genre)
        session.flush()
        ids.append(genre.id)
    session.rollback()
    return ids


def _added(session: Session, name: str) -> None:
    session.add(Note(text=name, author_id=1))
    session.commit()


@finds("flush-in-loop")
def a_commit_for_each(session: Sync) -> Any:
    for n in IDS:
        _added(session, f"New {n}")
    return "done"


@finds("missing-greenlet", "Author.books")
async def an_attribute_that_is_not_awaited(session: Async) -> Any:
    author = (await session.scalars(select(Author))).first()
    return [book.title for book in author.books] if author else []


@finds("detached-instance", "Author.books")
async def an_attribute_after_the_session(maker: AsyncMaker) -> Any:
    async with maker() as session:
        author = await session.get(Author, 1)
    return [book.title for book in author.books] if author else []


@finds("forbidden-lazy-load", "Author.forbidden_books")
def a_relationship_that_must_be_loaded(session: Sync) -> Any:
    author = session.scalars(select(Author)).first()
    return [book.title for book in author.forbidden_books] if author else []
