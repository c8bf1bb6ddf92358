"""Handlers that load a relationship once for each parent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session, immediateload, joinedload, selectinload

from tests.checks.corpus.labels import finds
from tests.checks.corpus.models import Author, Book, Category, Page, Review, Shelf, Slot
from tests.checks.corpus.sessions import Async, Sync, SyncMaker


class BookOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    title: str


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str
    books: list[BookOut]


@finds("n-plus-one", "Author.books")
def one_to_many_in_a_comprehension(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()  # load
    return {author.name: [book.title for book in author.books] for author in authors}


@finds("n-plus-one", "Book.author")
def many_to_one_with_distinct_parents(session: Sync) -> Any:
    books = session.scalars(select(Book).where(Book.title.endswith(".0"))).all()  # load
    return [book.author.name for book in books]


@finds("n-plus-one", "Book.genres")
def many_to_many_in_a_loop(session: Sync) -> Any:
    names = []
    for book in session.scalars(select(Book)):  # load
        names += [genre.name for genre in book.genres]
    return names


@finds("n-plus-one", "Author.passport")
def one_to_one_seen_from_the_side_without_the_key(session: Sync) -> Any:
    authors = session.scalars(select(Author).order_by(Author.name)).all()  # load
    return [author.passport.number for author in authors if author.passport]


@finds("n-plus-one", "Category.children")
def children_of_a_tree(session: Sync) -> Any:
    roots = session.scalars(select(Category).where(Category.parent_id.is_(None))).all()  # load
    return {root.name: len(root.children) for root in roots}


@finds("n-plus-one", "Category.parent")
def parents_of_a_tree(session: Sync) -> Any:
    leaves = session.scalars(select(Category).where(Category.parent_id.is_not(None))).all()  # load
    return [leaf.parent.name for leaf in leaves if leaf.parent]


@finds("n-plus-one", "Author.books")
@finds("n-plus-one", "Book.reviews")
def two_levels(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()  # load
    return [[len(book.reviews) for book in author.books] for author in authors]


@finds("n-plus-one", "Book.reviews")
def the_second_level_only(session: Sync) -> Any:
    query = select(Author).options(selectinload(Author.books))
    authors = session.scalars(query).all()  # load
    return [[len(book.reviews) for book in author.books] for author in authors]


@finds("n-plus-one", "Author.books")
def while_the_response_is_serialised(session: Sync) -> list[AuthorOut]:
    return session.scalars(select(Author)).all()  # type: ignore[return-value] # load


@finds("n-plus-one", "Author.books")
def behind_a_property_of_the_model(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()  # load
    return [author.titles for author in authors]


def _shown(author: Author) -> dict[str, Any]:
    return {"name": author.name, "titles": [book.title for book in author.books]}


@finds("n-plus-one", "Author.books")
def in_a_function_that_shows_one(session: Sync) -> Any:
    return [_shown(author) for author in session.scalars(select(Author)).all()]  # load


@finds("n-plus-one", "Author.books")
async def awaited_attributes(session: Async) -> Any:
    authors = (await session.scalars(select(Author))).all()  # load
    return [len(await author.awaitable_attrs.books) for author in authors]


def _count_books(session: Session) -> list[int]:
    return [len(author.books) for author in session.scalars(select(Author)).all()]


@finds("n-plus-one", "Author.books")
async def inside_run_sync(session: Async) -> Any:
    return await session.run_sync(_count_books)


@finds("n-plus-one", "Author.books")
def two_parents_are_enough(session: Sync) -> Any:
    authors = session.scalars(select(Author).where(Author.id <= 2)).all()  # load
    return [len(author.books) for author in authors]


@finds("n-plus-one", "Shelf.slots")
def a_key_of_two_columns(session: Sync) -> Any:
    shelves = session.scalars(select(Shelf)).all()  # load
    return [len(shelf.slots) for shelf in shelves]


@finds("n-plus-one", "Slot.shelf")
def to_a_key_of_two_columns(session: Sync) -> Any:
    slots = session.scalars(select(Slot)).all()  # load
    return [slot.shelf.number for slot in slots]


@finds("n-plus-one", "Book.genres")
def beside_a_relationship_that_is_loaded(session: Sync) -> Any:
    query = select(Book).options(joinedload(Book.author))
    books = session.scalars(query).all()  # load
    return [(book.author.name, len(book.genres)) for book in books]


@finds("n-plus-one", "Page.lines")
def a_relationship_that_is_loaded_at_once_for_each_row(session: Sync) -> Any:
    return [len(page.lines) for page in session.scalars(select(Page)).all()]


@finds("n-plus-one", "Author.books")
def immediateload_as_an_option(session: Sync) -> Any:
    query = select(Author).options(immediateload(Author.books))
    return [len(author.books) for author in session.scalars(query).all()]


def _authors(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    return {author.name: len(author.books) for author in authors}


@finds("n-plus-one", "Author.books")
def in_a_dependency(counts: Annotated[Any, Depends(_authors)]) -> Any:
    return counts


def _report(maker: Any) -> None:
    with maker() as session:
        for author in session.scalars(select(Author)).all():
            len(author.books)


@finds("n-plus-one", "Author.books")
def in_a_background_task(maker: SyncMaker, tasks: BackgroundTasks) -> Any:
    tasks.add_task(_report, maker)
    return "later"


@finds("n-plus-one", "Author.books")
def while_a_response_is_streamed(maker: SyncMaker) -> Response:
    def lines() -> Iterator[str]:
        with maker() as session:
            for author in session.scalars(select(Author)).all():
                yield f"{author.name},{len(author.books)}\n"

    return StreamingResponse(lines())


@finds("n-plus-one", "Author.books")
async def while_rows_are_streamed_from_the_database(session: Async) -> Any:
    rows = await session.stream_scalars(select(Author))  # load
    authors = [author async for author in rows]
    return [len(await author.awaitable_attrs.books) for author in authors]


@finds("n-plus-one", "Review.book")
def only_some_rows_have_it_loaded(session: Sync) -> Any:
    known = session.scalars(select(Book).where(Book.id <= 2)).all()
    reviews = session.scalars(select(Review)).all()  # load
    return len(known), [review.book.title for review in reviews]


@finds("n-plus-one", "Author.books")
def parents_of_a_get(session: Sync) -> Any:
    authors = session.scalars(select(Author).order_by(Author.id.desc()).limit(4)).all()  # load
    total = 0
    for author in authors:
        if author.books:
            total += len(author.books)
    return total


def _tree(category: Category) -> dict[str, Any]:
    return {"name": category.name, "children": [_tree(child) for child in category.children]}


@finds("n-plus-one", "Category.children")
def a_walk_down_a_tree(session: Sync) -> Any:
    roots = session.scalars(select(Category).where(Category.parent_id.is_(None))).all()  # load
    return [_tree(root) for root in roots]


@finds("n-plus-one", "Author.books")
def parents_that_come_in_rows_of_two(session: Sync) -> Any:
    rows = session.execute(select(Author, Author.name)).all()  # load
    return {name: len(author.books) for author, name in rows}


@finds("n-plus-one", "Author.books")
def a_loop_over_a_relationship_that_was_refreshed(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    for author in authors:
        session.refresh(author, attribute_names=["books"])
    return [len(author.books) for author in authors]


@finds("n-plus-one", "Author.books")
async def streamed_by_an_async_generator(session: Async) -> Response:
    authors = (await session.scalars(select(Author))).all()  # load

    async def lines() -> AsyncIterator[str]:
        for author in authors:
            books = await author.awaitable_attrs.books
            yield f"{author.name},{len(books)}\n"

    return StreamingResponse(lines())
