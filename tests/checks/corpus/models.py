"""The corpus's own models: a library and a shop, with every kind of relationship."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, String, Table
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    WriteOnlyMapped,
    deferred,
    mapped_column,
    relationship,
)

__all__ = [
    "Author",
    "Base",
    "Book",
    "Car",
    "Category",
    "Genre",
    "Line",
    "Note",
    "Page",
    "Passport",
    "Review",
    "Shelf",
    "Slot",
    "Truck",
    "Vehicle",
]


class Base(AsyncAttrs, DeclarativeBase):
    """What all models share."""


book_genres = Table(
    "book_genres",
    Base.metadata,
    Column("book_id", ForeignKey("books.id"), primary_key=True),
    Column("genre_id", ForeignKey("genres.id"), primary_key=True),
)


class Author(Base):
    """Has books, a passport and notes."""

    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    biography: Mapped[str] = deferred(mapped_column(String(200), default=""))
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")
    passport: Mapped[Passport | None] = relationship(back_populates="author")
    notes: WriteOnlyMapped[Note] = relationship()
    forbidden_books: Mapped[list[Book]] = relationship(lazy="raise", viewonly=True)

    @property
    def titles(self) -> list[str]:
        """A property that hides a relationship."""
        return [book.title for book in self.books]


class Passport(Base):
    """One for each author."""

    __tablename__ = "passports"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"), unique=True)
    author: Mapped[Author] = relationship(back_populates="passport")


class Book(Base):
    """Written by one author, of many genres."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    price: Mapped[int] = mapped_column(default=10)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    genres: Mapped[list[Genre]] = relationship(secondary=book_genres)
    reviews: Mapped[list[Review]] = relationship(back_populates="book", order_by="Review.id")


class Genre(Base):
    """A word for many books."""

    __tablename__ = "genres"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


class Review(Base):
    """Of one book."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    book: Mapped[Book] = relationship(back_populates="reviews")


class Note(Base):
    """Many for each author: a write-only collection."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


class Category(Base):
    """A tree."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    parent: Mapped[Category | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Category]] = relationship(back_populates="parent")


class Shelf(Base):
    """Has a key of two columns."""

    __tablename__ = "shelves"

    room: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    slots: Mapped[list[Slot]] = relationship(back_populates="shelf")


class Slot(Base):
    """Refers to both."""

    __tablename__ = "slots"
    __table_args__ = (
        ForeignKeyConstraint(["shelf_room", "shelf_number"], ["shelves.room", "shelves.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_room: Mapped[int]
    shelf_number: Mapped[int]
    shelf: Mapped[Shelf] = relationship(back_populates="slots")


class Page(Base):
    """Loads its lines at once, one page after the other."""

    __tablename__ = "pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list[Line]] = relationship(lazy="immediate")


class Line(Base):
    """Of one page."""

    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(50))
    page_id: Mapped[int] = mapped_column(ForeignKey("pages.id"))


class Vehicle(Base):
    """The base of two tables."""

    __tablename__ = "vehicles"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))


class Car(Vehicle):
    """Has a table of its own."""

    __tablename__ = "cars"
    __mapper_args__ = {"polymorphic_identity": "car"}

    id: Mapped[int] = mapped_column(ForeignKey("vehicles.id"), primary_key=True)
    doors: Mapped[int]


class Truck(Vehicle):
    """Has one, too."""

    __tablename__ = "trucks"
    __mapper_args__ = {"polymorphic_identity": "truck"}

    id: Mapped[int] = mapped_column(ForeignKey("vehicles.id"), primary_key=True)
    load: Mapped[int]
