"""Which routes of an OpenAPI document can be requested by anybody."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.routes import plan_of, route_of, without_method

_OPTIONAL = {"name": "limit", "in": "query", "required": False}
_REQUIRED = {"name": "q", "in": "query", "required": True}


@pytest.mark.parametrize(
    ("path", "operations", "is_planned"),
    [
        ("/users", {"get": {}}, True),
        ("/users", {"get": {"parameters": [_OPTIONAL]}, "post": {}}, True),
        ("/users", {"post": {}}, False),
        ("/users/{user_id}", {"get": {}}, False),
        ("/search", {"get": {"parameters": [_OPTIONAL, _REQUIRED]}}, False),
        ("/search", {"parameters": [_REQUIRED], "get": {}}, False),
    ],
)
def test_a_route_is_requested_if_it_needs_no_value(
    path: str, operations: dict[str, Any], is_planned: bool
) -> None:
    plan = plan_of({"paths": {path: operations}})

    assert plan == (((f"GET {path}", path),) if is_planned else ())


def test_a_document_without_paths_has_none() -> None:
    assert plan_of({}) == ()


@pytest.mark.parametrize("route", ["GET /users/{id}", "POST /", "GET /a b"])
def test_a_route_comes_back_from_locusts_two_columns(route: str) -> None:
    shown = without_method(route)

    assert shown.startswith("/")
    assert route_of(route.partition(" ")[0], shown) == route


@pytest.mark.parametrize("name", ["GET /users", "search", "first page"])
def test_a_name_of_the_users_own_stays_as_it_is(name: str) -> None:
    assert route_of("GET", name) == name


def test_a_name_that_is_no_route_is_shown_as_it_is() -> None:
    assert without_method("first /page") == "first /page"
