"""Each class of a hierarchy has rows of its own, which SQLAlchemy loads as that class."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey, case, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.database.populate import Models
from tests.database.populate.conftest import Fill

pytestmark = pytest.mark.database("empty")


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animals"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_abstract": True}  # noqa: RUF012 - SQLAlchemy's way to say it


class Dog(Animal):
    __tablename__ = "dogs"
    id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)
    trick: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012 - SQLAlchemy's way to say it


class Puppy(Dog):
    __tablename__ = "puppies"
    id: Mapped[int] = mapped_column(ForeignKey("dogs.id"), primary_key=True)
    weeks: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "puppy"}  # noqa: RUF012 - SQLAlchemy's way to say it


class Cat(Animal):
    lives: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 - SQLAlchemy's way to say it


class Collar(Base):
    __tablename__ = "collars"
    id: Mapped[int] = mapped_column(primary_key=True)
    dog_id: Mapped[int] = mapped_column(ForeignKey("dogs.id"))


class Price(Base):
    __tablename__ = "prices"
    id: Mapped[int] = mapped_column(primary_key=True)
    legacy: Mapped[str | None] = mapped_column()
    kind: Mapped[str] = mapped_column()
    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's way to say it
        "polymorphic_on": case((legacy.is_(None), kind), else_="old"),
        "polymorphic_abstract": True,
    }


class Fixed(Price):
    __mapper_args__ = {"polymorphic_identity": "fixed"}  # noqa: RUF012 - SQLAlchemy's way to say it


async def test_a_class_that_an_expression_tells_is_told_by_its_columns(fill: Fill) -> None:
    filling = await fill(Base)

    found = (await filling.session.scalars(select(Price))).all()
    assert [type(price).__name__ for price in found] == ["Fixed"] * 3


async def test_every_class_has_so_many_objects(fill: Fill) -> None:
    filling = await fill(Base)

    found = (await filling.session.scalars(select(Animal))).all()
    classes = [type(animal).__name__ for animal in found]
    assert filling.problems == {}
    assert {name: classes.count(name) for name in classes} == {"Dog": 3, "Puppy": 3, "Cat": 3}


async def test_a_foreign_key_to_a_class_leads_to_one_of_it(fill: Fill) -> None:
    filling = await fill(Base)

    found = (await filling.session.scalars(select(Collar.dog_id))).all()
    dogs = set((await filling.session.scalars(select(Dog.id))).all())
    assert len(set(found)) == 3
    assert set(found) <= dogs


def test_models_are_found_without_being_named() -> None:
    found = Models.found()

    assert found.class_names()["Collar"] == ("public", "collars")
    assert Base.metadata in found.metadatas


async def test_of_two_models_of_a_table_the_one_that_fits_counts(fill: Fill) -> None:
    class OtherBase(DeclarativeBase):
        pass

    class Sheep(OtherBase):
        __tablename__ = "animals"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(default="sheep")
        wool: Mapped[str]
        shorn: Mapped[bool]

    filling = await fill(Base, sizes=(2,), models=Models.of(OtherBase, Base))

    kinds = await filling.column("SELECT DISTINCT kind FROM animals ORDER BY 1")
    assert (filling.problems, kinds) == ({}, ["cat", "dog", "puppy"])
