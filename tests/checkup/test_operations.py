"""Which GET operations are found, and with which values they are requested."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Header, Path, Query
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from harness.checkup.operations import Operation, get_operations


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Described:
    """An application that documents what it is told to."""

    routes: tuple[object, ...] = ()

    def __init__(self, *parameters: dict[str, Any], **components: Any) -> None:  # noqa: ANN401 - a schema
        self._schema = {
            "paths": {"/things": {"get": {"parameters": list(parameters)}}},
            "components": components,
        }

    def openapi(self) -> dict[str, Any]:
        return self._schema


def only(app: object) -> Operation:
    (operation,) = get_operations(app)
    return operation


async def nothing() -> None: ...


def test_an_operation_without_parameters_is_requested_as_it_is() -> None:
    app = FastAPI()
    app.get("/users")(nothing)

    assert only(app) == Operation(route="/users", path="/users", guessed=())
    assert only(app).name == "GET /users"


def test_operations_come_in_the_order_of_their_routes() -> None:
    app = FastAPI()
    for path in ("/b", "/a", "/c"):
        app.get(path)(nothing)

    assert [operation.route for operation in get_operations(app)] == ["/a", "/b", "/c"]


def test_only_get_operations_are_found() -> None:
    app = FastAPI()
    app.post("/users")(nothing)
    app.delete("/users")(nothing)

    assert get_operations(app) == []


def test_an_operation_that_is_not_documented_is_left_alone() -> None:
    app = FastAPI()
    app.get("/internal", include_in_schema=False)(nothing)

    assert get_operations(app) == []


def test_an_integer_in_the_path_is_guessed_to_be_one() -> None:
    app = FastAPI()

    @app.get("/users/{user_id}")
    async def user(user_id: int) -> None: ...

    assert only(app).path == "/users/1"
    assert only(app).guessed == ("user_id=1",)


def test_an_optional_parameter_is_left_out() -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(limit: int = 10) -> None: ...

    assert only(app).path == "/users"


def test_required_query_parameters_are_filled() -> None:
    app = FastAPI()

    @app.get("/users")
    async def users(page: int, *, active: bool) -> None: ...

    assert only(app).path == "/users?page=1&active=true"


def test_an_enum_is_filled_with_its_first_value() -> None:
    app = FastAPI()

    @app.get("/things/{colour}")
    async def things(colour: Colour) -> None: ...

    assert only(app).path == "/things/red"


def test_an_example_is_taken_before_a_guess() -> None:
    app = FastAPI()

    @app.get("/towns/{name}")
    async def town(name: Annotated[str, Path(examples=["Rio"])]) -> None: ...

    assert only(app).path == "/towns/Rio"


def test_a_value_is_escaped_where_the_url_needs_it() -> None:
    app = FastAPI()

    @app.get("/towns/{name}")
    async def town(
        name: Annotated[str, Path(examples=["a/b c"])],
        near: Annotated[str, Query(examples=["d&e"])],
    ) -> None: ...

    assert only(app).path == "/towns/a%2Fb%20c?near=d%26e"


@pytest.mark.parametrize("schema", [{"type": "string", "format": "uuid"}, {"pattern": "^[A-Z]+$"}])
def test_a_value_of_a_special_form_is_not_guessed(schema: dict[str, Any]) -> None:
    app = Described({"name": "key", "in": "query", "required": True, "schema": schema})

    assert only(app).path is None
    assert only(app).unfilled == ("key",)


def test_a_uuid_in_the_path_is_not_guessed() -> None:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: UUID) -> None: ...

    assert only(app).unfilled == ("order_id",)


def test_a_required_header_is_not_guessed() -> None:
    app = FastAPI()

    @app.get("/me")
    async def me(x_token: Annotated[str, Header()]) -> None: ...

    assert only(app).path is None
    assert only(app).unfilled == ("x-token",)


def test_a_reference_to_a_parameter_is_followed() -> None:
    app = Described(
        {"$ref": "#/components/parameters/Page"},
        parameters={
            "Page": {"name": "page", "in": "query", "required": True, "schema": {"type": "integer"}}
        },
    )

    assert only(app).path == "/things?page=1"


def test_a_reference_to_a_schema_is_followed() -> None:
    schema = {"$ref": "#/components/schemas/Size"}
    app = Described(
        {"name": "size", "in": "query", "required": True, "schema": schema},
        schemas={"Size": {"type": "string", "enum": ["small", "large"]}},
    )

    assert only(app).path == "/things?size=small"


def test_a_constant_is_its_value() -> None:
    schema = {"const": "v2"}
    app = Described({"name": "version", "in": "query", "required": True, "schema": schema})

    assert only(app).path == "/things?version=v2"


def test_operations_of_a_mounted_application_have_its_prefix() -> None:
    inner = FastAPI()

    @inner.get("/users/{user_id}")
    async def user(user_id: int) -> None: ...

    app = FastAPI()
    app.mount("/v1", inner)

    assert only(app) == Operation(
        route="/v1/users/{user_id}", path="/v1/users/1", guessed=("user_id=1",)
    )


def test_operations_are_found_under_a_starlette_application() -> None:
    inner = FastAPI()
    inner.get("/users")(nothing)

    assert only(Starlette(routes=[Mount("/api", inner)])).path == "/api/users"


def test_operations_are_found_under_middleware() -> None:
    inner, mounted = FastAPI(), FastAPI()
    mounted.get("/users")(nothing)
    inner.mount("/api", CORSMiddleware(mounted))

    assert only(CORSMiddleware(inner)).path == "/api/users"


def test_an_application_that_documents_nothing_has_no_operations() -> None:
    assert get_operations(Starlette()) == []
