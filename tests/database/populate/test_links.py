"""Row i points at row i of each parent; a crowd points at the first."""

from __future__ import annotations

import pytest

from tests.database.populate.conftest import Fill

pytestmark = pytest.mark.database("empty")

_BLOG = """
CREATE TABLE users (id serial PRIMARY KEY);
CREATE TABLE tags (id serial PRIMARY KEY);
CREATE TABLE posts (id serial PRIMARY KEY, author_id integer NOT NULL REFERENCES users,
    editor_id integer REFERENCES users);
CREATE TABLE post_tags (post_id integer REFERENCES posts, tag_id integer REFERENCES tags,
    PRIMARY KEY (post_id, tag_id));
CREATE TABLE profiles (user_id integer PRIMARY KEY REFERENCES users)
"""


async def test_every_row_has_parents_of_its_own(fill: Fill) -> None:
    filling = await fill(_BLOG)

    assert await filling.column("SELECT author_id FROM posts ORDER BY id") == [1, 2, 3]
    assert await filling.column("SELECT editor_id FROM posts ORDER BY id") == [1, 2, 3]
    assert await filling.column("SELECT tag_id FROM post_tags ORDER BY post_id") == [1, 2, 3]


async def test_growing_adds_to_what_is_there(fill: Fill) -> None:
    filling = await fill(_BLOG, sizes=(2, 3, 10))

    assert await filling.column("SELECT author_id FROM posts ORDER BY id") == list(range(1, 11))
    assert filling.tables["posts"].wanted == filling.tables["posts"].rows == 10


async def test_a_crowd_belongs_to_the_first_parent_and_differs_otherwise(fill: Fill) -> None:
    filling = await fill(_BLOG, crowd=2)

    crowd = await filling.rows("SELECT author_id, editor_id FROM posts WHERE id > 3 ORDER BY id")
    assert crowd == [
        {"author_id": 1, "editor_id": 2},
        {"author_id": 1, "editor_id": 3},
        {"author_id": 2, "editor_id": 1},
        {"author_id": 3, "editor_id": 1},
    ]
    assert await filling.column("SELECT count(*) FROM profiles") == [3]
    assert await filling.column("SELECT tag_id FROM post_tags WHERE post_id = 1 ORDER BY 1") == [
        1,
        2,
        3,
    ]


async def test_a_circle_is_closed_afterwards(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE teams (id serial PRIMARY KEY, captain_id integer);"
        "CREATE TABLE players (id serial PRIMARY KEY, team_id integer NOT NULL REFERENCES teams);"
        "ALTER TABLE teams ADD FOREIGN KEY (captain_id) REFERENCES players"
    )

    assert filling.problems == {}
    assert await filling.column("SELECT captain_id FROM teams ORDER BY id") == [1, 2, 3]


async def test_a_circle_without_an_opening_is_said(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE a (id integer PRIMARY KEY, b_id integer NOT NULL);"
        "CREATE TABLE b (id integer PRIMARY KEY, a_id integer NOT NULL REFERENCES a);"
        "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b"
    )

    assert filling.problems == {
        "a": "no row of public.b to point at",
        "b": "no row of public.a to point at",
    }


async def test_a_row_below_another_of_its_table_comes_for_every_root(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE nodes (id serial PRIMARY KEY, parent_id integer REFERENCES nodes)"
    )

    found = await filling.rows("SELECT id, parent_id FROM nodes ORDER BY id")
    assert [row["parent_id"] for row in found] == [None, None, None, 1, 2, 3]


async def test_a_row_that_must_have_a_parent_in_its_table_may_be_its_own(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE nodes (id serial PRIMARY KEY, root_id integer NOT NULL REFERENCES nodes)"
    )

    assert filling.problems == {}


async def test_keys_of_several_columns_lead_to_one_row(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE tenants (id uuid PRIMARY KEY);"
        "CREATE TABLE users (tenant_id uuid REFERENCES tenants, number integer,"
        " PRIMARY KEY (tenant_id, number));"
        "CREATE TABLE notes (id serial PRIMARY KEY, tenant_id uuid NOT NULL REFERENCES tenants,"
        " author integer NOT NULL, reader integer,"
        " FOREIGN KEY (tenant_id, author) REFERENCES users,"
        " FOREIGN KEY (tenant_id, reader) REFERENCES users)",
        crowd=2,
    )

    assert filling.problems == {}
    assert await filling.column("SELECT count(DISTINCT tenant_id) FROM notes WHERE id <= 3") == [3]


async def test_a_foreign_key_that_must_differ_from_another_does(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE accounts (id serial PRIMARY KEY);"
        "CREATE TABLE transfers (source integer NOT NULL REFERENCES accounts,"
        " target integer NOT NULL REFERENCES accounts, CHECK (source <> target))"
    )

    assert filling.problems == {}


async def test_exactly_one_of_two_parents_is_set_where_both_are_refused(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE posts (id serial PRIMARY KEY); CREATE TABLE images (id serial PRIMARY KEY);"
        "CREATE TABLE likes (post_id integer REFERENCES posts, image_id integer REFERENCES images,"
        " CHECK (num_nonnulls(post_id, image_id) = 1))"
    )

    assert filling.problems == {}


async def test_a_parent_that_cannot_be_made_is_taken_from_what_is_there(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE countries (code text PRIMARY KEY);"
        "CREATE TABLE towns (country text NOT NULL REFERENCES countries)",
        before="INSERT INTO countries VALUES ('Utopia');"
        "ALTER TABLE countries ADD CHECK (md5(code) LIKE 'ffffff%') NOT VALID",
    )

    assert set(filling.problems) == {"countries"}
    assert await filling.column("SELECT country FROM towns") == ["Utopia"] * 3


async def test_tables_of_other_schemas_and_odd_names_are_filled(fill: Fill) -> None:
    filling = await fill(
        'CREATE SCHEMA "Sales"; CREATE TABLE "Sales"."Order" ("Id" serial PRIMARY KEY,'
        ' "group" text NOT NULL, "a b" integer NOT NULL);'
        'CREATE TABLE "select" (id serial PRIMARY KEY, o integer REFERENCES "Sales"."Order")'
    )

    assert filling.problems == {}
    assert set(filling.tables) == {"Sales.Order", "select"}


async def test_partitions_are_filled_through_their_table(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE events (id integer NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);"
        "CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO "
        "('2025-01-01')"
    )

    assert filling.problems == {}
    assert set(filling.tables) == {"events"}
