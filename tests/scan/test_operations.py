"""Which parameters an operation has, and the path that they make."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel

from harness.scan.operations import ScannedOperation, scanned_operations


class _Page(BaseModel):
    limit: int = 20
    offset: int = 0


def only(app: FastAPI) -> ScannedOperation:
    (operation,) = scanned_operations(app)
    return operation


def test_the_size_of_the_page_is_asked_for() -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(page: Annotated[_Page, Query()]) -> None: ...

    assert only(app).path({}, size=3) == "/users?limit=3"


@pytest.mark.parametrize(
    "name", ["limit", "size", "per_page", "page_size", "pageSize", "perPage", "take", "first"]
)
def test_a_size_goes_by_many_names(name: str) -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(number: Annotated[int, Query(alias=name)] = 10) -> None: ...

    assert only(app).path({}, size=3) == f"/users?{name}=3"


def test_a_size_stays_within_its_bounds() -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(limit: Annotated[int | None, Query(ge=5, lt=8)] = None) -> None: ...

    assert only(app).path({}, size=2) == "/users?limit=5"
    assert only(app).path({}, size=10) == "/users?limit=7"


@pytest.mark.parametrize(
    ("name", "default", "query"),
    [
        ("offset", 0, "offset=3"),
        ("skip", 0, "skip=3"),
        ("page", 1, "page=2"),
        ("page", 0, "page=1"),
    ],
)
def test_the_second_page_begins_behind_the_first(name: str, default: int, query: str) -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(
        limit: int = 10, start: Annotated[int, Query(alias=name)] = default
    ) -> None: ...

    operation = only(app)
    assert operation.is_paged
    assert operation.path({}, size=3, page=1) == f"/users?limit=3&{query}"


def test_values_are_put_into_path_and_query() -> None:
    app = FastAPI()

    @app.get("/users/{name}/posts")
    async def posts(name: str, lang: str, sort: str = "id") -> None: ...

    operation = only(app)
    assert [item.name for item in operation.required] == ["name", "lang"]
    assert operation.path({"name": "a/b", "lang": "de"}, size=3) == "/users/a%2Fb/posts?lang=de"


def test_a_text_that_is_called_like_a_size_is_none() -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(size: str = "large") -> None: ...

    assert only(app).path({}, size=3) == "/users"
