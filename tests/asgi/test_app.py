"""Applications of every shape are found, started and isolated without a change of theirs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from harness.asgi.app import environment_for, import_target, load_app, require_dependency
from harness.asgi.running import RunningApp
from harness.capture import RequestTracker
from harness.database.admin import run_admin
from harness.database.rollback import Sandbox
from harness.database.server import PostgresServer
from harness.errors import ConfigurationError, TargetImportError
from harness.loops import Residents
from tests.databases import create_database, drop_database

DATABASE = "harness_application_shapes"
ENVIRONMENT = {"APPLICATION_DATABASE_URL": "{async_url}"}
NOWHERE = {"APPLICATION_DATABASE_URL": "postgresql+asyncpg://nobody@localhost:1/none"}


@pytest.fixture(scope="module")
def database(harness_postgres: PostgresServer) -> Iterator[URL]:
    create_database(harness_postgres.address, DATABASE)
    run_admin(
        harness_postgres.address, ["CREATE TABLE notes (text text PRIMARY KEY)"], database=DATABASE
    )
    yield harness_postgres.address.url(DATABASE)
    drop_database(harness_postgres.address, DATABASE)


@dataclass
class Shape:
    """An application of the folder, isolated in a database of its own."""

    root: Path
    url: URL
    sandbox: Sandbox
    residents: Residents
    runner: asyncio.Runner

    def of_two_tests(self, target: str, *, post: str = "/notes", prefix: str = "") -> list[object]:
        """What each of two tests sees that adds the same note through the application."""
        app = load_app(target, root=self.root, environment=environment_for(ENVIRONMENT, self.url))
        running = RunningApp(
            RequestTracker().wrap(app), self.residents, around_lifespan=self.sandbox.bypassed
        )
        return [self._of_one_test(running, f"{prefix}{post}", prefix) for _ in range(2)]

    def _of_one_test(self, running: RunningApp, post: str, prefix: str) -> object:
        async def add_and_list() -> object:
            transport = httpx.ASGITransport(running)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                (await client.post(f"{post}/one")).raise_for_status()
                return (await client.get(f"{prefix}/notes")).json()

        with self.sandbox.one_test():
            return self.runner.run(add_and_list())


@pytest.fixture
def shape(applications: Path, database: URL) -> Iterator[Shape]:
    residents = Residents()
    sandbox = Sandbox(database, residents)
    with sandbox.installed(), asyncio.Runner() as runner:
        yield Shape(applications, database, sandbox, residents, runner)
        residents.close()


def test_an_engine_made_at_import_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("engine_at_import:app") == [["one"], ["one"]]


def test_a_background_task_with_a_session_of_its_own_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("engine_at_import:app", post="/later") == [["one"], ["one"]]


def test_a_factory_with_a_transaction_in_middleware_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("factory:create_app") == [["one"], ["one"]]


def test_an_engine_that_only_the_lifespan_makes_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("engine_in_app_state:app") == [["one"], ["one"]]


def test_a_session_maker_in_the_lifespan_state_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("engine_in_lifespan_state:app") == [["one"], ["one"]]


def test_a_mounted_application_under_middleware_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("mounted:app", prefix="/api") == [["one"], ["one"]]


@pytest.mark.filterwarnings(r"ignore:[\s\S]*on_event is deprecated:DeprecationWarning")
def test_a_tutorial_with_a_start_up_event_is_isolated(shape: Shape) -> None:
    assert shape.of_two_tests("tutorial:app") == [["one"], ["one"]]


def test_the_environment_is_set_before_the_import(applications: Path) -> None:
    app = load_app("engine_at_import:app", root=applications, environment=NOWHERE)

    engine = sys.modules["engine_at_import"].engine
    assert engine.url.port == 1
    assert app is sys.modules["engine_at_import"].app


def test_every_call_of_a_factory_makes_an_application(applications: Path) -> None:
    first = load_app("factory:create_app", root=applications, environment=NOWHERE)
    second = load_app("factory:create_app", root=applications, environment=NOWHERE)

    assert first is not second


def test_a_name_may_have_dots(applications: Path) -> None:
    os.environ.update(NOWHERE)

    found = import_target("engine_at_import:Base.metadata", root=applications)

    assert list(found.tables) == ["notes"]


# ---- what cannot be found ----


@pytest.fixture
def refused(applications: Path) -> Callable[[str], TargetImportError]:
    def load(target: str) -> TargetImportError:
        with pytest.raises(TargetImportError) as caught:
            load_app(target, root=applications, environment=NOWHERE)
        assert len(str(caught.value).splitlines()) < 10
        return caught.value

    return load


def test_a_factory_that_raises_is_named_with_error_and_line(
    refused: Callable[[str], TargetImportError],
) -> None:
    error = refused("factory:create_broken_app")

    assert error.what == (
        "the factory 'factory:create_broken_app' raised RuntimeError: SECRET_KEY is not set"
    )
    assert error.where.startswith("at factory.py:")
    assert "from factory import create_broken_app" in error.remedy


def test_a_factory_that_returns_nothing_is_named(
    refused: Callable[[str], TargetImportError],
) -> None:
    assert "returned a NoneType" in refused("factory:create_nothing").what


def test_a_missing_module_is_named_with_where_it_was_looked_for(
    refused: Callable[[str], TargetImportError], applications: Path
) -> None:
    error = refused("no_such_module:app")

    assert "importing 'no_such_module' raised ModuleNotFoundError" in error.what
    assert str(applications) in error.remedy


def test_a_missing_package_is_named_with_the_line_that_imports_it(
    refused: Callable[[str], TargetImportError],
) -> None:
    error = refused("needs_a_package:app")

    assert "No module named 'psycopg_that_is_not_there'" in error.what
    assert error.where == "at needs_a_package.py:5"


def test_a_missing_variable_is_answered_with_where_to_set_it(applications: Path) -> None:
    with pytest.raises(TargetImportError) as caught:
        load_app("engine_at_import:app", root=applications, environment={})

    assert "KeyError: 'APPLICATION_DATABASE_URL'" in caught.value.what
    assert "[tool.harness.env]" in caught.value.remedy


def test_a_missing_name_is_answered_with_the_nearest(
    refused: Callable[[str], TargetImportError],
) -> None:
    error = refused("factory:create_ap")

    assert error.what == "'factory' has no 'create_ap'"
    assert error.remedy == "did you mean 'create_app'?"


def test_what_is_not_an_application_is_named_by_its_type(
    refused: Callable[[str], TargetImportError],
) -> None:
    error = refused("engine_at_import:settings")

    assert error.what.endswith("is neither an ASGI application nor a factory, but of type dict")


@pytest.mark.parametrize("target", ["factory", "factory:", ":app", ""])
def test_a_target_without_module_or_name_is_explained(
    refused: Callable[[str], TargetImportError], target: str
) -> None:
    assert "is not of the form 'package.module:name'" in refused(target).what


# ---- environment and dependencies ----


def test_placeholders_are_filled() -> None:
    url = URL.create("postgresql+asyncpg", "ada", "p@ss", "db", 5433, "tests")
    template = {
        "URL": "{async_url}",
        "SYNC": "{sync_url}",
        "PARTS": "{user}:{password}@{host}:{port}/{database}",
        "DEBUG": "yes",
    }

    assert environment_for(template, url) == {
        "URL": "postgresql+asyncpg://ada:p%40ss@db:5433/tests",
        "SYNC": "postgresql+psycopg://ada:p%40ss@db:5433/tests",
        "PARTS": "ada:p@ss@db:5433/tests",
        "DEBUG": "yes",
    }


def test_placeholders_of_a_file_have_no_server_in_them() -> None:
    url = URL.create("sqlite+aiosqlite", database="/tmp/harness.db")  # noqa: S108 - not made
    template = {
        "URL": "{url}",
        "ASYNC": "{async_url}",
        "SYNC": "{sync_url}",
        "PARTS": "{user}:{password}@{host}:{port} {database}",
    }

    assert environment_for(template, url) == {
        "URL": "sqlite:////tmp/harness.db",
        "ASYNC": "sqlite+aiosqlite:////tmp/harness.db",
        "SYNC": "sqlite:////tmp/harness.db",
        "PARTS": ":@: /tmp/harness.db",
    }


@pytest.mark.parametrize("text", ["{asyncurl}", "{", "{0}", "{url.x}"])
def test_an_unknown_placeholder_is_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment_for({"DATABASE_URL": text}, URL.create("postgresql", host="db"))

    assert "DATABASE_URL has an unknown placeholder" in caught.value.what
    assert "{async_url}" in caught.value.remedy


def test_a_dependency_of_a_mounted_application_is_found_under_middleware(
    applications: Path,
) -> None:
    app = load_app("mounted:app", root=applications, environment=NOWHERE)

    require_dependency(app, sys.modules["mounted"].get_session, what="session_dependency")


def test_a_dependency_that_no_route_has_is_answered_with_the_nearest(applications: Path) -> None:
    app = load_app("engine_at_import:app", root=applications, environment=NOWHERE)

    async def get_sesion() -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        require_dependency(app, get_sesion, what="session_dependency")
    assert caught.value.what == "no route of the application depends on 'get_sesion'"
    assert caught.value.remedy == "did you mean 'engine_at_import:get_session'?"
