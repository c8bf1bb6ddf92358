"""Dependency overrides: in place inside the block, as before after it, refused where useless."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from harness.asgi.app import load_app
from harness.asgi.overrides import overriding
from harness.errors import ConfigurationError


async def get_name() -> str:
    return "world"


async def get_nothing() -> str:
    return "nothing"


async def nobody() -> str:
    return "nobody"


async def greet(name: Annotated[str, Depends(get_name)]) -> str:
    return f"hello {name}"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.add_api_route("/greeting", greet)
    return app


async def greeting(app: FastAPI, path: str = "/greeting") -> object:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.get(path)).json()


async def test_inside_the_block_the_replacement_is_used(app: FastAPI) -> None:
    with overriding(app) as override:
        override({get_name: nobody})

        assert await greeting(app) == "hello nobody"


async def test_after_the_block_the_dependency_is_back(app: FastAPI) -> None:
    with overriding(app) as override:
        override({get_name: nobody})

    assert await greeting(app) == "hello world"


async def test_an_error_in_the_block_brings_the_dependency_back(app: FastAPI) -> None:
    def fail() -> None:
        with overriding(app) as override:
            override({get_name: nobody})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert app.dependency_overrides == {}


async def test_overrides_from_before_are_kept(app: FastAPI) -> None:
    app.dependency_overrides[get_name] = get_nothing

    with overriding(app) as override:
        override({get_name: nobody})

    assert app.dependency_overrides == {get_name: get_nothing}


async def test_overrides_from_before_come_back_after_a_clear_inside(app: FastAPI) -> None:
    app.dependency_overrides[get_name] = get_nothing

    with overriding(app):
        app.dependency_overrides.clear()

    assert await greeting(app) == "hello nothing"


async def test_overrides_from_before_come_back_after_others_were_put_in_their_place(
    app: FastAPI,
) -> None:
    before = app.dependency_overrides = {get_name: get_nothing}

    with overriding(app):
        app.dependency_overrides = {get_name: nobody}

    assert app.dependency_overrides is before
    assert await greeting(app) == "hello nothing"


async def test_overrides_of_a_mounted_application_from_before_are_kept(app: FastAPI) -> None:
    outer = FastAPI()
    outer.mount("/api", app)
    app.dependency_overrides[get_name] = get_nothing

    with overriding(outer) as override:
        override({get_name: nobody})
        assert await greeting(outer, "/api/greeting") == "hello nobody"

    assert outer.dependency_overrides == {}
    assert await greeting(outer, "/api/greeting") == "hello nothing"


def test_a_dependency_that_no_route_has_is_refused_with_the_nearest(app: FastAPI) -> None:
    async def get_nam() -> str:
        return ""

    with overriding(app) as override, pytest.raises(ConfigurationError) as caught:
        override({get_nam: nobody})
    assert caught.value.remedy == f"did you mean '{__name__}:get_name'?"


def test_a_refused_override_changes_nothing(app: FastAPI) -> None:
    with overriding(app) as override:
        with pytest.raises(ConfigurationError):
            override({get_name: nobody, get_nothing: nobody})

        assert app.dependency_overrides == {}


async def test_a_dependency_of_a_mounted_application_is_overridden_there(
    applications: Path,
) -> None:
    nowhere = {"APPLICATION_DATABASE_URL": "postgresql+asyncpg://nobody@localhost:1/none"}
    app = load_app("mounted:app", root=applications, environment=nowhere)

    with overriding(app) as override:
        override({sys.modules["mounted"].get_name: nobody})
        inside = await greeting(app, "/api/greeting")

    assert inside == "hello nobody"
    assert await greeting(app, "/api/greeting") == "hello world"
