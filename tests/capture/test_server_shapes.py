"""A server's text and SQLAlchemy's come to one shape; different statements keep different ones."""

from __future__ import annotations

import pytest

from harness.capture.fingerprint import fingerprint
from harness.capture.server_shapes import server_shape

# What SQLAlchemy compiles, or an application writes, and what a server of version 15 tells of it.
PAIRS = {
    "parameters": (
        "SELECT users.id FROM users WHERE users.name = $1::VARCHAR",
        "SELECT users.id FROM users WHERE users.name = $1::VARCHAR",
    ),
    "no cast, of psycopg2": (
        "SELECT users.id FROM users WHERE users.name = %(name_1)s",
        "SELECT users.id FROM users WHERE users.name = $1",
    ),
    "constants by value": ("SELECT 1, -2.5, 'it''s', 5::integer", "SELECT $1, $2, $3, $4::integer"),
    "constants by name": ("SELECT true, FALSE, NULL", "SELECT $1, $2, $3"),
    "tests of NULL": ("SELECT a IS NULL, b IS NOT NULL", "SELECT a IS NULL, b IS NOT NULL"),
    "field of a date": ("SELECT EXTRACT(year FROM at)", "SELECT EXTRACT($1 FROM at)"),
    "positions": ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 1"),
    "a list": (
        "SELECT a FROM t WHERE a IN (__[POSTCOMPILE_a_1])",
        "SELECT a FROM t WHERE a IN ($1, $2)",
    ),
    "a list since version 18": (
        "SELECT a FROM t WHERE a IN (__[POSTCOMPILE_a_1])",
        "SELECT a FROM t WHERE a IN ($1 /*, ... */)",
    ),
    "an empty list": (
        "SELECT a FROM t WHERE a IN (__[POSTCOMPILE_a_1])",
        "SELECT a FROM t WHERE a IN ($1) AND ($2 != $3)",
    ),
    "nothing left out": (
        "SELECT a FROM t WHERE (a NOT IN (__[POSTCOMPILE_a_1]))",
        "SELECT a FROM t WHERE (a NOT IN ($1) OR ($2 = $3))",
    ),
    "a list of tuples": (
        "SELECT a FROM t WHERE (a, b) IN (__[POSTCOMPILE_a_1])",
        "SELECT a FROM t WHERE (a, b) IN (($1, $2::VARCHAR), ($3, $4::VARCHAR))",
    ),
    "an array of psycopg2": (
        "SELECT a FROM t WHERE a = ANY (%(a)s)",
        "SELECT a FROM t WHERE a = ANY (ARRAY[$1, $2])",
    ),
    "rows": (
        "INSERT INTO t (a, b) VALUES (%(a)s, NULL) RETURNING t.id",
        "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) RETURNING t.id",
    ),
    "a comment": ("SELECT a FROM t", "/* route=/x */ SELECT a FROM t"),
    "a percent sign": ("SELECT a FROM t WHERE a %% 2", "SELECT a FROM t WHERE a % $1"),
    "a cursor on the server": (
        "SELECT a FROM t",
        'DECLARE "c_7f3a_1" NO SCROLL CURSOR WITHOUT HOLD FOR SELECT a FROM t',
    ),
    "a semicolon": ("SELECT a FROM t;", "SELECT a FROM t"),
    "a table": (
        "\nCREATE TABLE t (\n\tid SERIAL NOT NULL, \n\tname VARCHAR(20)\n)\n\n",
        "CREATE TABLE t (\n\tid SERIAL NOT NULL, \n\tname VARCHAR(20)\n)",
    ),
}


@pytest.mark.parametrize(("compiled", "told"), PAIRS.values(), ids=PAIRS)
def test_both_texts_have_one_shape(compiled: str, told: str) -> None:
    seen = fingerprint(compiled, is_compiled=True)

    assert server_shape(seen.text) == server_shape(told)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a IS NULL", "SELECT a IS TRUE"),
        ("SELECT a IS NULL", "SELECT a IS NOT NULL"),
        ("SELECT a IS NOT TRUE", "SELECT a IS NOT FALSE"),
        ("SELECT a FROM t WHERE a IN ($1)", "SELECT a FROM t WHERE a NOT IN ($1)"),
        ("SELECT t.true FROM t", "SELECT t.false FROM t"),
        ('SELECT "null" FROM t', 'SELECT "true" FROM t'),
        ("SELECT a FROM t", "SELECT a FROM u"),
    ],
)
def test_different_statements_keep_different_shapes(one: str, other: str) -> None:
    assert server_shape(one) != server_shape(other)


@pytest.mark.parametrize(("compiled", "told"), PAIRS.values(), ids=PAIRS)
def test_the_shape_of_a_shape_is_itself(compiled: str, told: str) -> None:
    for sql in (compiled, told):
        shape = server_shape(sql)

        assert server_shape(shape.text) == shape
