"""Four tables that refer to each other, so that emptying them has an order."""

from __future__ import annotations

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Author", "Base", "Book", "Loan", "Review"]


class Base(DeclarativeBase):
    """The schema."""

    metadata = MetaData()


class Author(Base):
    """What the tests insert and count."""

    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Book(Base):
    """Of an author."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id), index=True)


class Review(Base):
    """Of a book."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id), index=True)


class Loan(Base):
    """Of a book."""

    __tablename__ = "loans"

    id: Mapped[int] = mapped_column(primary_key=True)
    reader: Mapped[str]
    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id), index=True)
