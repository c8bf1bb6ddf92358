"""Path parameters and rows: what an API calls `user_id` is the key of a row of `users`."""

from __future__ import annotations

from typing import Any

import pytest

from harness.scan.operations import Parameter, ScannedOperation
from harness.scan.row_values import RowValues
from tests.database.populate.conftest import Fill, fill

__all__ = ["fill"]

pytestmark = pytest.mark.database("empty")

_SCHEMA = """
CREATE TABLE app_users (id serial PRIMARY KEY, username text NOT NULL UNIQUE);
CREATE TABLE categories (slug text PRIMARY KEY);
CREATE TABLE posts (id uuid PRIMARY KEY, author_id integer NOT NULL REFERENCES app_users);
CREATE TABLE order_lines (id integer PRIMARY KEY CHECK (id > 500))
"""


def operation(route: str, **shapes: dict[str, Any]) -> ScannedOperation:
    return ScannedOperation(
        route,
        tuple(
            Parameter(
                name,
                "path" if f"{{{name}}}" in route else "query",
                is_required=True,
                shape=shape,
                documented=shape.get("example"),
            )
            for name, shape in shapes.items()
        ),
    )


INTEGER = {"type": "integer"}
TEXT = {"type": "string"}
UUID = {"type": "string", "format": "uuid"}


@pytest.mark.parametrize(
    ("asked", "sql"),
    [
        (operation("/users/{user_id}", user_id=INTEGER), "SELECT min(id) FROM app_users"),
        (operation("/users/{id}", id=INTEGER), "SELECT min(id) FROM app_users"),
        (operation("/users/{pk}", pk=INTEGER), "SELECT min(id) FROM app_users"),
        (operation("/users/{username}", username=TEXT), "SELECT min(username) FROM app_users"),
        (operation("/u/{username}", username=TEXT), "SELECT min(username) FROM app_users"),
        (operation("/categories/{category}", category=TEXT), "SELECT min(slug) FROM categories"),
        (operation("/category/{slug}", slug=TEXT), "SELECT min(slug) FROM categories"),
        (operation("/articles/{postId}", postId=UUID), "SELECT id FROM posts LIMIT 1"),
        (operation("/order-lines/{line_id}", line_id=INTEGER), "SELECT min(id) FROM order_lines"),
        (operation("/search", author_id=INTEGER), "SELECT min(id) FROM app_users"),
    ],
    ids=lambda each: each.name if isinstance(each, ScannedOperation) else "",
)
async def test_a_parameter_is_found_in_a_row(fill: Fill, asked: ScannedOperation, sql: str) -> None:
    filling = await fill(_SCHEMA)

    found = next(RowValues(filling.population).choices(asked))

    assert list(found.values()) == [str((await filling.column(sql))[0])]


async def test_several_parameters_name_rows_that_belong_together(fill: Fill) -> None:
    filling = await fill(_SCHEMA)

    asked = operation("/users/{user_id}/posts/{post_id}", user_id=INTEGER, post_id=UUID)
    found = next(RowValues(filling.population).choices(asked))

    owner = f"SELECT author_id FROM posts WHERE id = '{found['post_id']}'"
    assert [int(found["user_id"])] == await filling.column(owner)


async def test_a_value_of_another_type_is_not_taken(fill: Fill) -> None:
    filling = await fill(_SCHEMA)

    values = RowValues(filling.population)
    asked = operation("/users/{user_id}", user_id=UUID)
    assert list(values.choices(asked)) == []
    assert values.missing(asked) == ["user_id (path)"]


async def test_an_enumeration_has_its_own_values(fill: Fill) -> None:
    filling = await fill(_SCHEMA)

    asked = operation("/users/{user_id}", user_id={"type": "string", "enum": ["new", "old"]})
    found = list(RowValues(filling.population).choices(asked))

    assert found == [{"user_id": "new"}, {"user_id": "old"}]


async def test_what_is_documented_comes_after_the_rows(fill: Fill) -> None:
    filling = await fill(_SCHEMA)

    asked = operation("/users/{user_id}", user_id={"type": "integer", "example": "77"})
    found = [choice["user_id"] for choice in RowValues(filling.population).choices(asked)]

    assert found[-1] == "77"
    assert found[0] == "1"


async def test_an_operation_that_needs_nothing_has_one_choice(fill: Fill) -> None:
    filling = await fill(_SCHEMA)

    assert list(RowValues(filling.population).choices(operation("/users"))) == [{}]
