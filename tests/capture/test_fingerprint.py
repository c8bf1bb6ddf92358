"""A fingerprint depends on the statement, not on who renders it or with which values."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Dialect,
    Float,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    any_,
    cast,
    insert,
    literal,
    make_url,
    select,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.sql import ClauseElement

from harness.capture.fingerprint import Fingerprint, fingerprint

NOW = datetime.now(UTC)
EVENTS = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(20)),
    Column("order", Integer),
    Column("at", DateTime(timezone=True)),
    Column("seen", TIMESTAMP(timezone=True, precision=3)),
    Column("price", Numeric(10, 2)),
    Column("weight", Float),
    Column("uid", Uuid),
    Column("tags", ARRAY(String)),
    Column("grid", ARRAY(Integer, dimensions=2)),
)
C = EVENTS.c

EVERYWHERE = {
    "integer": (select(C.id).where(C.id == 1), "SELECT events.id FROM events WHERE events.id = ?"),
    "several": (
        select(C.id).where(C.id == 1, C.name == "x", C.at > NOW, C.weight == 1.5, C.uid == uuid4()),
        (
            "SELECT events.id FROM events WHERE events.id = ? AND events.name = ? "
            "AND events.at > ? AND events.weight = ? AND events.uid = ?"
        ),
    ),
    "value-first": (
        select(C.id).where(literal(5) == C.id),
        "SELECT events.id FROM events WHERE ? = events.id",
    ),
    "page": (
        select(C.id).order_by(C.id).limit(10).offset(20),
        "SELECT events.id FROM events ORDER BY events.id LIMIT ? OFFSET ?",
    ),
    "in": (
        select(C.id).where(C.id.in_([1, 2, 3])),
        "SELECT events.id FROM events WHERE events.id IN (?)",
    ),
    "contains": (
        select(C.id).where(C.name.contains("x")),
        "SELECT events.id FROM events WHERE (events.name LIKE '%' || ? || '%')",
    ),
    "modulo": (
        select(C.id).where(C.id % 2 == 0),
        "SELECT events.id FROM events WHERE events.id % ? = ?",
    ),
    "cast": (
        select(cast(C.id, String)),
        "SELECT CAST(events.id AS VARCHAR) AS id FROM events",
    ),
    "quoted": (
        select(C.order).where(C.order == 1),
        'SELECT events."order" FROM events WHERE events."order" = ?',
    ),
    "label": (select(C.id.label("pk"), C.name), "SELECT events.id, events.name FROM events"),
    "rows": (
        insert(EVENTS).values([{"name": "a"}, {"name": "b"}]),
        "INSERT INTO events (name) VALUES (?)",
    ),
}
ON_POSTGRESQL = {
    "any": (
        select(C.id).where(C.name == any_(literal(["x"], ARRAY(String)))),
        "SELECT events.id FROM events WHERE events.name = ANY (?)",
    ),
    "types": (
        insert(EVENTS).values(
            name="x", at=NOW, seen=NOW, price=1, weight=1.0, tags=["a"], grid=[[1]]
        ),
        (
            "INSERT INTO events (name, at, seen, price, weight, tags, grid) VALUES (?) "
            "RETURNING events.id"
        ),
    ),
}
DIALECTS: dict[str, Dialect] = {
    name: make_url(f"{name}://").get_dialect()()
    for name in ("postgresql+asyncpg", "postgresql+psycopg", "sqlite")
}


def _compiled(statement: ClauseElement, dialect: Dialect) -> Fingerprint:
    return fingerprint(str(statement.compile(dialect=dialect)), is_compiled=True)


def _raw(sql: str) -> str:
    return fingerprint(sql, is_compiled=False).text


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_statement_has_one_shape_on_every_driver(name: str, dialect: str) -> None:
    statement, shape = EVERYWHERE[name]

    assert _compiled(statement, DIALECTS[dialect]).text == shape


@pytest.mark.parametrize("dialect", ["postgresql+asyncpg", "postgresql+psycopg"])
@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_casts_of_postgresql_types_are_no_part_of_the_shape(name: str, dialect: str) -> None:
    statement, shape = ON_POSTGRESQL[name]

    assert _compiled(statement, DIALECTS[dialect]).text == shape


def test_the_id_does_not_change_between_releases() -> None:
    taken = fingerprint("SELECT users.id FROM users WHERE users.id = $1::INTEGER", is_compiled=True)

    assert taken.id == "41576b14b15c"


def test_lists_of_any_length_share_a_shape() -> None:
    shapes = {
        _compiled(select(C.id).where(C.id.in_(values)), DIALECTS["postgresql+asyncpg"])
        for values in ([1], [1, 2, 3], list(range(100)))
    }

    assert len(shapes) == 1


@pytest.mark.parametrize(
    "cast",
    [
        "INTEGER",
        "NUMERIC(10, 2)",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP(6) WITHOUT TIME ZONE",
        "DOUBLE PRECISION",
        "CHARACTER VARYING(20)",
        "VARCHAR[]",
        "INTEGER[][]",
        "shop.status",
        'shop."Status"',
    ],
)
@pytest.mark.parametrize("rest", ["AND b.x", "= t.id", ", b", "OR b", "IS NULL"])
def test_a_cast_ends_where_the_type_ends(cast: str, rest: str) -> None:
    shape = fingerprint(f"SELECT a WHERE $1::{cast} {rest}", is_compiled=True).text

    assert shape == f"SELECT a WHERE ? {rest}"


@pytest.mark.parametrize("name", ["users_id", '"users_Id"'])
def test_the_column_aliases_of_sqlalchemy_2_0_are_no_part_of_the_shape(name: str) -> None:
    older = fingerprint(f"SELECT users.id AS {name} FROM users", is_compiled=True)

    assert older == fingerprint("SELECT users.id FROM users", is_compiled=True)


def test_casts_of_a_column_to_different_types_are_different_shapes() -> None:
    assert _raw("SELECT CAST(a.b AS TEXT)") != _raw("SELECT CAST(a.b AS INTEGER)")


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT 1 FROM a WHERE b = 'it''s' AND c = 2.5", "SELECT ? FROM a WHERE b = ? AND c = ?"),
        ("SELECT a WHERE b = -1", "SELECT a WHERE b = ?"),
        ("SELECT a WHERE b = 1e-5", "SELECT a WHERE b = ?"),
        ("SELECT b2, c FROM a1", "SELECT b2, c FROM a1"),
        ("SELECT a WHERE b IN (1, 2, 3)", "SELECT a WHERE b IN (?)"),
        ("SELECT a WHERE b IN ($1, $2)", "SELECT a WHERE b IN (?)"),
        ("INSERT INTO a VALUES (1, 'x'), (2, 'y')", "INSERT INTO a VALUES (?)"),
        ("SELECT a WHERE b = :b AND c = %(c)s", "SELECT a WHERE b = ? AND c = ?"),
        ("SELECT a::text WHERE b = :b", "SELECT a::text WHERE b = ?"),
        (r"SELECT E'a\'secret'", "SELECT ?"),
        ("SELECT $$it's$$, $q$secret$q$", "SELECT ?, ?"),
    ],
)
def test_literals_in_raw_sql_are_no_part_of_the_shape(sql: str, shape: str) -> None:
    assert _raw(sql) == shape


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT a /* route='/users' */", "SELECT a"),
        ("SELECT a -- it's\nFROM b", "SELECT a FROM b"),
        ("SELECT a /* it's */ FROM b WHERE c = 'x'", "SELECT a FROM b WHERE c = ?"),
        ("SELECT a WHERE b = '-- no comment' AND c", "SELECT a WHERE b = ? AND c"),
        ("SELECT a WHERE b = '/*' AND c = '*/'", "SELECT a WHERE b = ? AND c = ?"),
    ],
)
def test_comments_are_no_part_of_the_shape(sql: str, shape: str) -> None:
    assert _raw(sql) == shape


@pytest.mark.parametrize("name", ['"order"', '"2nd"', '"it\'s"', '"a--b"'])
def test_quoted_names_are_kept(name: str) -> None:
    assert _raw(f"SELECT {name} FROM t WHERE a = 'x'") == f"SELECT {name} FROM t WHERE a = ?"


def test_literals_that_sqlalchemy_rendered_are_part_of_the_shape() -> None:
    draft = fingerprint("SELECT a WHERE b = 'draft' LIMIT 1", is_compiled=True)

    assert draft.text == "SELECT a WHERE b = 'draft' LIMIT 1"
