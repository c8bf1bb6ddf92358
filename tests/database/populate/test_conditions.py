"""Conditions are satisfied by asking the server, and what it cannot be talked into is said."""

from __future__ import annotations

import pytest

from tests.database.populate.conftest import Fill

pytestmark = pytest.mark.database("empty")


@pytest.mark.parametrize(
    ("columns", "check"),
    [
        ("price integer NOT NULL", "price > 0"),
        ("price integer NOT NULL", "price < 0"),
        ("rating integer NOT NULL", "rating BETWEEN 1 AND 5"),
        ("year integer NOT NULL", "year >= 1900"),
        ("share numeric(5,4) NOT NULL", "share > 0 AND share < 1"),
        ("share double precision NOT NULL", "share >= 0 AND share <= 1"),
        ("state text NOT NULL", "state IN ('open', 'closed')"),
        ("state varchar(9) NOT NULL", "state = ANY (ARRAY['a', 'b']::text[])"),
        ("email text NOT NULL", "email LIKE '%_@_%'"),
        ("code text NOT NULL", "code ~ '^[A-Z]{3}$'"),
        ("code text NOT NULL", "code ~ '^[a-z0-9]+(-[a-z0-9]+)*$'"),
        ("code text NOT NULL", "char_length(code) = 7"),
        ("code text NOT NULL", "length(code) >= 30"),
        ("name text NOT NULL", "name = lower(name) AND name <> ''"),
        ("begins date NOT NULL, ends date NOT NULL", "ends > begins"),
        ("a timestamptz NOT NULL, b timestamptz NOT NULL", "a > b"),
        ("a integer NOT NULL, b integer NOT NULL", "a <> b"),
        ("a integer NOT NULL, b integer NOT NULL", "b > a"),
        ("a integer, b integer", "num_nonnulls(a, b) = 1"),
        ("a integer, b text", "(a IS NULL) <> (b IS NULL)"),
        ("a text NOT NULL, b integer", "a <> 'paid' OR b IS NOT NULL"),
        (
            "state text NOT NULL, paid_at date",
            "(state = 'open' AND paid_at IS NULL) OR (state = 'paid' AND paid_at IS NOT NULL)",
        ),
        ("tags text[] NOT NULL", "cardinality(tags) > 0"),
        ("data jsonb NOT NULL", "jsonb_typeof(data) = 'array'"),
        ("is_it boolean NOT NULL DEFAULT false", "is_it"),
    ],
    ids=lambda text: text.replace(" ", "_")[:30],
)
async def test_a_condition_is_satisfied(fill: Fill, columns: str, check: str) -> None:
    filling = await fill(
        f"CREATE TABLE t (id serial PRIMARY KEY, {columns}, CHECK ({check}))", sizes=(10,)
    )

    assert filling.problems == {}
    assert await filling.column("SELECT count(*) FROM t") == [10]


async def test_several_conditions_are_satisfied_at_once(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (code text NOT NULL UNIQUE, low integer NOT NULL, high integer NOT NULL,"
        " CHECK (code ~ '^[A-Z]{2,8}$'), CHECK (high > low), CHECK (low >= 100))"
    )

    assert filling.problems == {}


async def test_rows_that_must_not_overlap_do_not(fill: Fill) -> None:
    filling = await fill("CREATE TABLE t (it tstzrange NOT NULL, EXCLUDE USING gist (it WITH &&))")

    assert filling.problems == {}


async def test_what_cannot_be_satisfied_is_said_with_the_condition(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (it text NOT NULL, CONSTRAINT odd CHECK (md5(it) LIKE 'ffffff%'))",
        "CREATE TABLE u (id serial PRIMARY KEY)",
    )

    assert filling.problems == {
        "t": "a CHECK odd: CHECK ((md5(it) ~~ 'ffffff%'::text))",
    }
    assert filling.tables["u"].rows == 3


async def test_what_a_trigger_refuses_is_said_in_its_words(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (id serial PRIMARY KEY)",
        before=[
            """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$BEGIN RAISE EXCEPTION 'not by hand'; END$$""",
            "CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
        ],
    )

    assert filling.problems == {"t": "not by hand"}


async def test_a_table_that_holds_two_rows_at_most_is_filled_with_two(fill: Fill) -> None:
    filling = await fill("CREATE TABLE t (it boolean NOT NULL UNIQUE)", sizes=(5,))

    assert filling.tables["t"].rows == 2
    assert filling.problems == {"t": "a uniqueness t_it_key"}


async def test_rows_that_were_there_are_not_repeated(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (id integer PRIMARY KEY, name text NOT NULL UNIQUE)",
        before="INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, 3000) i",
    )

    assert filling.problems == {}
    assert await filling.column("SELECT count(*) FROM t") == [3003]
