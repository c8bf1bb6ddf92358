"""A statement has one shape, whichever driver and version of SQLAlchemy renders it.

Compared as rendered, so that the whole list costs nothing; the identities themselves are pinned by
`GOLDEN`, which holds on every version of SQLAlchemy that is supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    Numeric,
    String,
    Uuid,
    and_,
    any_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.sql import ClauseElement

from harness.capture.fingerprint import Fingerprint, fingerprint

POSTGRESQL = ("asyncpg", "psycopg", "psycopg2")


class Base(DeclarativeBase): ...


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(Enum("new", "old", name="customer_kind"))
    code: Mapped[UUID] = mapped_column(Uuid)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    paid: Mapped[bool]
    notes: Mapped[dict[str, str]] = mapped_column(JSON)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String).with_variant(JSON, "sqlite"))


NOON = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
KEY = UUID("00000000-0000-0000-0000-000000000001")
OTHER = aliased(Customer)
RECENT = select(Order.customer_id).where(Order.total > Decimal(10)).cte("recent")

PORTABLE: Mapping[str, ClauseElement] = {
    "equality": select(Customer).where(Customer.name == "Ada"),
    "key": select(Customer.id).where(Customer.code == KEY),
    "in list": select(Order).where(Order.id.in_([1, 2, 3])),
    "not in list": select(Order.id).where(Order.id.not_in([1])),
    "join": select(Order.id, Customer.name).join(Customer).where(Order.id == 1),
    "self join": select(Customer.id).join(OTHER, OTHER.name == Customer.name),
    "exists": select(Customer.id).where(exists().where(Order.customer_id == Customer.id)),
    "group by": select(Order.customer_id, func.count()).group_by(Order.customer_id),
    "having": select(Order.customer_id).group_by(Order.customer_id).having(func.count() > 3),
    "window": select(func.row_number().over(order_by=Order.id)),
    "case": select(case((Order.customer_id == 1, "one"), else_="many")),
    "or": select(Order.id).where(or_(Order.id == 1, and_(Order.id == 2, Order.id != 3))),
    "union": select(Order.id).union_all(select(Customer.id)),
    "with": select(Customer.id).join(RECENT, RECENT.c.customer_id == Customer.id),
    "like": select(Customer.id).where(Customer.name.like("%da")),
    "text": text("SELECT id FROM orders WHERE id = :id AND total > :total"),
    "update": update(Customer).where(Customer.id == 1).values(name="Bob"),
    "delete": delete(Customer).where(Customer.id.in_([1, 2])),
}

OF_POSTGRESQL: Mapping[str, ClauseElement] = {
    "time": select(Customer.id).where(Customer.since > NOON),
    "enum": select(Customer.id).where(Customer.kind == "new"),
    "numeric": select(Order.id).where(Order.total >= Decimal("9.99")),
    "boolean": select(Order.id).where(Order.paid.is_(True)),
    "document": select(Order.id).where(cast(Order.notes, JSONB)["a"].astext == "b"),
    "array": select(Order.id).where(literal("red") == any_(Order.tags)),
    "array literal": select(Order.id).where(Order.tags == ["red", "blue"]),
    "cast": select(cast(Order.total, Integer)),
    "concatenation": select(Customer.name + " and more"),
    "ilike": select(Customer.id).where(Customer.name.ilike("a%")),
    "page": select(Order).order_by(Order.id).limit(10).offset(20),
    "lock": select(Order).where(Order.id == 1).with_for_update(skip_locked=True),
    "tuples": select(Order.id).where(tuple_(Order.id, Order.customer_id).in_([(1, 2), (3, 4)])),
    "aggregate": select(func.array_agg(aggregate_order_by(Order.id, Order.total.desc()))),
    "insert": insert(Customer).values(name="Ada", kind="new", code=KEY, since=NOON),
    "returning": insert(Order).values(customer_id=1, total=1, paid=True).returning(Order.id),
    "upsert": postgresql_insert(Customer)
    .values(id=1, name="Ada")
    .on_conflict_do_update(index_elements=["id"], set_={"name": "Ada"}),
    "percent": select(Customer.id).where(Customer.name == text("'100%'")),
}

GOLDEN: Mapping[str, str] = {
    "equality": "9fc9f4389202",
    "key": "38325ab355b3",
    "in list": "202c81f9b385",
    "not in list": "351c86e090df",
    "join": "b7a915e94955",
    "self join": "001a870693a5",
    "exists": "7fe33e084ed0",
    "group by": "987ecd7bb1e3",
    "having": "7da9ef4f8d7d",
    "window": "cd82a970e444",
    "case": "933eae6b94b8",
    "or": "5949414542ab",
    "union": "28f844a88a56",
    "with": "7ffe651c9eaa",
    "like": "221e7d3c049c",
    "text": "8a122daa3a3d",
    "update": "04046ad37fc7",
    "delete": "f5ec684bddb3",
    "time": "6a0c2ae9a76a",
    "enum": "0c8771d6f05c",
    "numeric": "be8e0cfcc41f",
    "boolean": "3bf310c40ec8",
    "document": "0b82f8883754",
    "array": "c3bd79f484e0",
    "array literal": "b261b6b08ca9",
    "cast": "e22ca84f3af6",
    "concatenation": "df72a84f0bb2",
    "ilike": "5881cd3afb42",
    "page": "d229f713c964",
    "lock": "c5cd3dc784b4",
    "tuples": "4234852a1f6d",
    "aggregate": "74dd7c94ee99",
    "insert": "4828baded109",
    "returning": "9a1c269a9d2e",
    "upsert": "262694b32ece",
    "percent": "3b02593c435d",
}


def dialect_of(driver: str) -> Dialect:
    return made(f"postgresql+{driver}://")


def made(url: str) -> Dialect:
    dialect: Dialect = make_url(url).get_dialect()()
    return dialect


def shape(statement: ClauseElement, dialect: Dialect) -> Fingerprint:
    return fingerprint(str(statement.compile(dialect=dialect)), is_compiled=True)


@pytest.mark.parametrize("name", [*PORTABLE, *OF_POSTGRESQL])
def test_the_drivers_of_postgresql_agree(name: str) -> None:
    statement = {**PORTABLE, **OF_POSTGRESQL}[name]

    assert len({shape(statement, dialect_of(driver)) for driver in POSTGRESQL}) == 1


@pytest.mark.parametrize("name", PORTABLE)
def test_sqlite_agrees_where_its_sql_does(name: str) -> None:
    statement = PORTABLE[name]

    assert shape(statement, made("sqlite://")) == shape(statement, dialect_of("asyncpg"))


def test_the_identities_are_those_of_every_version() -> None:
    known = {**PORTABLE, **OF_POSTGRESQL}
    asyncpg = dialect_of("asyncpg")

    assert {name: shape(statement, asyncpg).id for name, statement in known.items()} == GOLDEN
