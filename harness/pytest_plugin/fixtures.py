"""The fixtures: each short name is an alias of a ``harness_`` fixture.

The ``harness_`` fixtures depend on each other only, so a user's own ``app``, ``engine`` or
``client`` changes nothing else. All are declared sync and do their asynchronous work on the loop of
the test that uses them: they serve pytest-asyncio in any loop scope and anyio's plugin alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from harness.asgi.app import import_target
from harness.asgi.driver import awaited_url
from harness.asgi.per_test import UntilTestEnds
from harness.asgi.running import RunningApp
from harness.capture import RequestTracker, SourceMap
from harness.capture.requests import ASGIApp
from harness.config import Project, load_project
from harness.database.rollback import Sandbox
from harness.database.rollback.escapes import Escapes
from harness.database.rollback.scopes import TestBody
from harness.database.search import no_server_wanted
from harness.database.server import PostgresServer
from harness.database.sqlite import SqlitePlace
from harness.database.sqlite.driver import require_aiosqlite
from harness.errors import HarnessError
from harness.loops import LoopThread, Residents
from harness.provision import place_for
from harness.pytest_plugin.def_tests import refuse_in_def_test, refuse_second_driver
from harness.pytest_plugin.early import early_start_of
from harness.pytest_plugin.escapes import told_of_sandbox
from harness.pytest_plugin.isolation import Isolation, Wish
from harness.pytest_plugin.live_tasks import live_tasks
from harness.pytest_plugin.markers import mode_of
from harness.pytest_plugin.own_clients import follow_if_imported
from harness.pytest_plugin.queries import Queries
from harness.pytest_plugin.starting import starting_of
from harness.pytest_plugin.workers import joined_server
from harness.stage import Stage, staged


@contextmanager
def _explained() -> Iterator[None]:
    """Our errors name place and remedy: a traceback through the harness would bury them."""
    try:
        yield
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def harness_project(pytestconfig: pytest.Config) -> Project:
    """The configuration of the project that pytest runs in."""
    with _explained():
        return load_project(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def harness_place(
    harness_project: Project, pytestconfig: pytest.Config
) -> Iterator[PostgresServer | SqlitePlace]:
    """Where databases are made: a running PostgreSQL, or a folder for files of SQLite."""
    with _explained():
        place = joined_server(pytestconfig) or place_for(harness_project)
    with closing(place):
        yield place


@pytest.fixture(scope="session")
def harness_postgres(harness_place: PostgresServer | SqlitePlace) -> PostgresServer:
    """A running PostgreSQL, from wherever the configuration says."""
    with _explained():
        if isinstance(harness_place, SqlitePlace):
            raise no_server_wanted()
        return harness_place


@pytest.fixture(scope="session")
def harness_residents(pytestconfig: pytest.Config) -> Iterator[Residents]:
    """Lifespans and connections that live as long as their event loop."""
    residents = Residents(live_tasks(pytestconfig).origins.watch)
    yield residents
    residents.close()


@pytest.fixture(scope="session")
def harness_tracker() -> Iterator[RequestTracker]:
    """Knows which request the application is working on."""
    with closing(RequestTracker()) as tracker:
        yield tracker


@pytest.fixture(scope="session")
def harness_stage(
    harness_project: Project,
    harness_place: PostgresServer | SqlitePlace,
    pytestconfig: pytest.Config,
) -> Iterator[Stage]:
    """The database of this test run, with tables and rows as configured."""
    worker = getattr(pytestconfig, "workerinput", {}).get("workerid", "")
    with ExitStack() as stack:
        with _explained():
            run = staged(harness_project, harness_place, worker=worker)
            stage = stack.enter_context(run)
        yield stage


@pytest.fixture(scope="session")
def harness_app(
    harness_stage: Stage, harness_tracker: RequestTracker, pytestconfig: pytest.Config
) -> Any:  # noqa: ANN401 - any ASGI application
    """The configured application, imported against the test database."""
    early = early_start_of(pytestconfig).engines
    with _explained(), early.set_up_on(harness_stage.url):
        app = harness_stage.load_app()
        harness_stage.prepare()
        harness_tracker.follow(app)
        return app


@pytest.fixture(scope="session")
def harness_tests() -> Isolation:
    """Isolates one test after the other."""
    return Isolation()


@pytest.fixture(scope="session")
def harness_sandbox(
    harness_app: Any,  # noqa: ANN401, ARG001 - tables and rows come before the first test's
    *,
    harness_project: Project,
    harness_stage: Stage,
    harness_residents: Residents,
    harness_tests: Isolation,
    harness_own_loop: LoopThread,
    pytestconfig: pytest.Config,
) -> Iterator[Sandbox]:
    """Rolls every test back, whatever the application commits, or gives it its own database."""
    settings = harness_project.configuration
    escapes = Escapes(
        settings.escape,
        watch=harness_stage.watch(),
        source=SourceMap(harness_project.root, settings.app_packages),
    )
    sandbox = Sandbox(
        harness_stage.url, harness_residents, wait_seconds=settings.wait_seconds, escapes=escapes
    )
    clones = harness_stage.own_databases(sandbox)
    default = settings.isolation
    with (
        sandbox.installed(),
        told_of_sandbox(pytestconfig, sandbox),
        harness_tests.within(sandbox, clones, default=default),
        early_start_of(pytestconfig).engines.isolated_by(sandbox),
        closing(harness_own_loop),  # its connections end before their database does
    ):
        yield sandbox


@pytest.fixture(scope="session")
def harness_running_app(
    harness_app: ASGIApp,
    *,
    harness_project: Project,
    harness_sandbox: Sandbox,
    harness_residents: Residents,
    harness_tests: Isolation,
    harness_tracker: RequestTracker,
) -> RunningApp:
    """The application with its lifespan, which is one for all tests or one for each."""
    app = harness_tracker.wrap(harness_app)
    if harness_project.configuration.lifespan == "test":
        keeper = UntilTestEnds(harness_residents, harness_tests.at_end)
        return RunningApp(app, keeper, test=lambda: harness_tests.running)
    # What it writes at its start is the base line of every test.
    return RunningApp(
        app,
        harness_residents,
        around_lifespan=harness_sandbox.bypassed,
        around_work=harness_sandbox.aside,
    )


@pytest.fixture(autouse=True)
def harness_isolation(request: pytest.FixtureRequest, harness_tests: Isolation) -> Iterator[None]:
    """Undo what the test does to the database; free for tests that use none."""
    is_guarded = "harness_stage" in request.fixturenames
    starting = starting_of(request)
    body = TestBody.of(getattr(request.node, "obj", None))
    wish = Wish(mode_of(request.node), is_guarded, starting.awaited, starting.apart, body)
    live = live_tasks(request.config)
    early = early_start_of(request.config)
    with (
        harness_tests.one_test(wish),
        live.one_test(uses_database=harness_tests.uses_database),
        early.on_behalf_of(request),
    ):
        yield
    with _explained():
        problems = [
            *live.take_found(),
            # A test that passes on half of what the application did proves nothing.
            *harness_tests.swallowed_conflicts(by_tests=_belongs_to_tests(request)),
            *harness_tests.noticed_escapes(),
        ]
        if problems:
            raise problems[0]


def _belongs_to_tests(request: pytest.FixtureRequest) -> Callable[[Path], bool]:
    modules = {item.path for item in request.session.items}
    return lambda file: (
        file in modules
        or file.name == "conftest.py"
        or not {"_pytest", "pluggy"}.isdisjoint(file.parts)
    )


@pytest.fixture(scope="session")
def harness_database_url(
    harness_stage: Stage,
    harness_sandbox: Sandbox,  # noqa: ARG001 - an engine of the test's own is isolated, too
) -> URL:
    """URL of the test database, with the asyncpg driver; on SQLite with aiosqlite."""
    return harness_stage.url


@pytest.fixture
def harness_own_database_url(
    harness_database_url: URL,
    harness_sandbox: Sandbox,  # noqa: ARG001 - after it
    harness_tests: Isolation,
    harness_isolation: None,  # noqa: ARG001 - inside it
) -> URL:
    """URL of the database that this test works on, for what does not go through SQLAlchemy."""
    own = harness_tests.own_database
    return harness_database_url if own is None else harness_database_url.set(database=own.name())


@pytest.fixture(scope="session")
def harness_awaited_url(
    harness_stage: Stage,
    harness_app: Any,  # noqa: ANN401, ARG001 - the dependency is importable with it
) -> URL | None:
    """URL of the test database with the application's driver; None where that one blocks."""
    settings, root = harness_stage.project.configuration, harness_stage.project.root
    target = settings.session_dependency
    dependency = import_target(target, root=root) if target is not None else None
    return awaited_url(harness_stage.url, settings.env, session_dependency=dependency)


@pytest.fixture(scope="session")
def harness_engine(
    harness_database_url: URL,
    harness_awaited_url: URL | None,
    harness_sandbox: Sandbox,  # noqa: ARG001 - after it
) -> Iterator[AsyncEngine]:
    """An engine on the test database, inside the test's isolation like any other."""
    if harness_database_url.get_backend_name() == "sqlite":
        with _explained():
            require_aiosqlite(why="'engine' and 'db_session' work")
    engine = create_async_engine(harness_awaited_url or harness_database_url)
    yield engine
    engine.sync_engine.dispose(close=False)


@pytest.fixture
def harness_db_session(
    harness_engine: AsyncEngine,
    harness_awaited_url: URL | None,
    harness_sandbox: Sandbox,
    harness_tests: Isolation,
    harness_isolation: None,  # noqa: ARG001 - rolled back by it
) -> AsyncSession:
    """A session in the same isolated world as the application's own."""
    if harness_awaited_url is None and harness_tests.own_database is None:
        refuse_second_driver("db_session", instead="sync_db_session")
    session = AsyncSession(harness_engine, expire_on_commit=False)
    harness_sandbox.close_after_test(session.close)
    return session


@pytest.fixture
def harness_queries(harness_project: Project, harness_tracker: RequestTracker) -> Queries:
    """The statements of the test's body."""
    follow_if_imported(harness_tracker, harness_project.configuration.app)
    return Queries(harness_project, harness_tracker)


@pytest.fixture(scope="session")
def postgres(harness_postgres: PostgresServer) -> PostgresServer:
    """A running PostgreSQL, from wherever the configuration says."""
    return harness_postgres


@pytest.fixture(scope="session")
def app(
    harness_app: Any,  # noqa: ANN401 - any ASGI application
    harness_sandbox: Sandbox,  # noqa: ARG001 - a client of the test's own is isolated, too
) -> Any:  # noqa: ANN401 - any ASGI application
    """The configured application, imported against the test database."""
    return harness_app


@pytest.fixture(scope="session")
def database_url(harness_database_url: URL) -> URL:
    """URL of the test database, with the asyncpg driver."""
    return harness_database_url


@pytest.fixture
def own_database_url(harness_own_database_url: URL) -> URL:
    """URL of the database that this test works on: its own, or the one of all tests."""
    return harness_own_database_url


@pytest.fixture(scope="session")
def engine(harness_engine: AsyncEngine) -> AsyncEngine:
    """An engine on the test database, inside the test's isolation."""
    return harness_engine


@pytest.fixture
def db_session(request: pytest.FixtureRequest, harness_db_session: AsyncSession) -> AsyncSession:
    """A session in the same isolated world as the application's own."""
    refuse_in_def_test(request, "db_session", instead="sync_db_session")
    return harness_db_session


@pytest.fixture
def queries(harness_queries: Queries) -> Queries:
    """The statements of the test's body, counted as they come."""
    return harness_queries
