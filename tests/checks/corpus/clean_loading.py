"""Handlers that load what they need in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import (
    aliased,
    contains_eager,
    joinedload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_polymorphic,
)

from tests.checks.corpus.labels import clean
from tests.checks.corpus.models import (
    Author,
    Book,
    Car,
    Category,
    Genre,
    Note,
    Passport,
    Review,
    Truck,
    Vehicle,
)
from tests.checks.corpus.sessions import Async, Sync, SyncMaker


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


@clean
def selectin(session: Sync) -> Any:
    query = select(Author).options(selectinload(Author.books))
    return [len(author.books) for author in session.scalars(query).all()]


@clean
def nested_selectin(session: Sync) -> Any:
    query = select(Author).options(selectinload(Author.books).selectinload(Book.reviews))
    authors = session.scalars(query).all()
    return [[len(book.reviews) for book in author.books] for author in authors]


@clean
def joined(session: Sync) -> Any:
    query = select(Book).options(joinedload(Book.author))
    return [book.author.name for book in session.scalars(query).all()]


@clean
def joined_collection(session: Sync) -> Any:
    query = select(Author).options(joinedload(Author.books))
    return [len(author.books) for author in session.scalars(query).unique().all()]


@clean
def subquery(session: Sync) -> Any:
    query = select(Author).options(subqueryload(Author.books))
    return [len(author.books) for author in session.scalars(query).all()]


@clean
def filled_by_an_explicit_join(session: Sync) -> Any:
    query = select(Book).join(Book.author).options(contains_eager(Book.author))
    return [book.author.name for book in session.scalars(query).all()]


@clean
async def selectin_awaited(session: Async) -> Any:
    query = select(Author).options(selectinload(Author.books), joinedload(Author.passport))
    authors = (await session.scalars(query)).unique().all()
    return [(len(author.books), author.passport is not None) for author in authors]


@clean
def a_relationship_of_one_parent(session: Sync) -> Any:
    author = session.get(Author, 1)
    return [book.title for book in author.books] if author else []


@clean
def several_relationships_of_one_parent(session: Sync) -> Any:
    book = session.get(Book, 1)
    return (book.author.name, len(book.genres), len(book.reviews)) if book else ()


@clean
def a_chain_of_single_parents(session: Sync) -> Any:
    review = session.get(Review, 1)
    return review.book.author.name if review else ""


@clean
def one_parent_that_all_rows_share(session: Sync) -> Any:
    books = session.scalars(select(Book).where(Book.author_id == 1)).all()
    return [book.author.name for book in books]


@clean
def parents_that_are_in_the_session_already(session: Sync) -> Any:
    authors = session.scalars(select(Author)).all()
    books = session.scalars(select(Book)).all()
    return len(authors), [book.author.name for book in books]


@clean
def get_of_what_is_in_the_session_already(session: Sync) -> Any:
    known = session.scalars(select(Author)).all()  # the session itself holds them weakly
    return [session.get_one(Author, author.id).name for author in known]


@clean
def more_parents_than_a_loader_takes_at_once(session: Sync) -> Any:
    session.add_all(Category(name=f"Many {n}") for n in range(1200))
    session.flush()
    session.expunge_all()
    query = select(Category).where(Category.name.like("Many%")).limit(1200)
    found = session.scalars(query.options(selectinload(Category.children))).all()
    session.rollback()
    return len(found)


@clean
def columns_loaded_with_the_rest(session: Sync) -> Any:
    query = select(Author).options(undefer(Author.biography))
    return [author.biography for author in session.scalars(query).all()]


@clean
def a_deferred_column_of_one(session: Sync) -> Any:
    author = session.get(Author, 1)
    return author.biography if author else ""


@clean
def all_subclasses_joined(session: Sync) -> Any:
    every = with_polymorphic(Vehicle, [Car, Truck])
    return [vehicle.kind for vehicle in session.scalars(select(every)).all()]


@clean
def subclasses_in_one_more_statement_each(session: Sync) -> Any:
    query = select(Vehicle).options(selectin_polymorphic(Vehicle, [Car, Truck]))
    vehicles = session.scalars(query).all()
    return [getattr(vehicle, "doors", getattr(vehicle, "load", 0)) for vehicle in vehicles]


@clean
def only_columns_of_the_base(session: Sync) -> Any:
    return [vehicle.id for vehicle in session.scalars(select(Vehicle)).all()]


@clean
def counts_in_one_statement(session: Sync) -> Any:
    query = select(Book.author_id, func.count()).group_by(Book.author_id)
    return dict(session.execute(query).tuples().all())


@clean
def rows_without_entities(session: Sync) -> Any:
    query = select(Author.name, Book.title).join(Book)
    return [list(row) for row in session.execute(query)]


@clean
def a_recursive_query(session: Sync) -> Any:
    tree = select(Category.id).where(Category.parent_id.is_(None)).cte("tree", recursive=True)
    child = aliased(Category)
    tree = tree.union_all(select(child.id).join(tree, child.parent_id == tree.c.id))
    return session.scalar(select(func.count()).select_from(tree))


@clean
def ranked_in_the_database(session: Sync) -> Any:
    rank = func.row_number().over(partition_by=Book.author_id, order_by=Book.id.desc())
    ranked = select(Book.title, rank.label("rank")).subquery()
    return session.scalars(select(ranked.c.title).where(ranked.c.rank == 1)).all()


@clean
def streamed_without_relationships(maker: SyncMaker) -> Response:
    def lines() -> Iterator[str]:
        with maker() as session:
            for name in session.scalars(select(Author.name).execution_options(yield_per=2)):
                yield f"{name}\n"

    return StreamingResponse(lines())


@clean
def serialised_without_relationships(session: Sync) -> list[AuthorOut]:
    return session.scalars(select(Author)).all()  # type: ignore[return-value]


@clean
def partitions_of_one_result(session: Sync) -> Any:
    query = select(Book).options(selectinload(Book.genres)).execution_options(yield_per=100)
    return [len(books) for books in session.scalars(query).partitions()]


@clean
def relationships_set_by_hand(session: Sync) -> Any:
    authors = {author.id: author for author in session.scalars(select(Author)).all()}
    shelves: dict[int, list[str]] = {number: [] for number in authors}
    for book in session.scalars(select(Book).where(Book.author_id.in_(authors))):
        shelves[book.author_id].append(book.title)
    return shelves


@clean
def one_write_only_collection(session: Sync) -> Any:
    author = session.get_one(Author, 1)
    return [note.text for note in session.scalars(author.notes.select())]


@clean
async def one_awaited_attribute(session: Async) -> Any:
    author = await session.get_one(Author, 1)
    return [book.title for book in await author.awaitable_attrs.books]


@clean
def two_relationships_of_two_objects(session: Sync) -> Any:
    book, author = session.get_one(Book, 1), session.get_one(Author, 5)
    return len(book.genres), len(author.books)


@clean
def the_same_relationship_of_one_object_again(session: Sync) -> Any:
    author = session.get_one(Author, 1)
    before = len(author.books)
    session.refresh(author, attribute_names=["books"])
    return before, len(author.books)


@clean
def a_page_and_its_total(session: Sync) -> Any:
    page = session.scalars(select(Book).order_by(Book.id).limit(3)).all()
    total = session.scalar(select(func.count()).select_from(Book))
    return {"items": [book.title for book in page], "total": total}


@clean
def an_index_and_three_lookups(session: Sync) -> Any:
    genres = session.scalar(select(func.count()).select_from(Genre))
    notes = session.scalar(select(func.count()).select_from(Note))
    passports = session.scalar(select(func.count()).select_from(Passport))
    return genres, notes, passports
