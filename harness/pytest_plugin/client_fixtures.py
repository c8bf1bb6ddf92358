"""The fixtures that call the application, and those that `def` tests need.

Beside `fixtures`, and by its rules: each short name is an alias of a ``harness_`` fixture, which
depends on ``harness_`` fixtures only. A `def` test cannot await, so it gets an application, a
client and a session that live on a loop of the harness's own, in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from harness.asgi.app import import_target
from harness.asgi.blocking import SyncAppClient
from harness.asgi.client import AppClient, ClientOptions
from harness.asgi.driver import application_url, is_awaited_driver
from harness.asgi.overrides import Overrides, overriding
from harness.asgi.running import RunningApp
from harness.database.bridge import bridged_engine
from harness.database.rollback import Sandbox
from harness.loops import LoopThread, Residents
from harness.pytest_plugin.def_tests import refuse_in_def_test
from harness.stage import Stage

if TYPE_CHECKING:
    from starlette.testclient import TestClient

_INSTEAD = (
    "in a coroutine take 'client' and 'db_session'; "
    "await db_session.run_sync(function) hands a function a Session"
)


@pytest.fixture
def harness_client_options() -> ClientOptions:
    """How clients appear to the application; override it in a conftest or a module."""
    return ClientOptions()


@pytest.fixture
def harness_client(
    harness_running_app: RunningApp,
    harness_client_options: ClientOptions,
    harness_isolation: None,  # noqa: ARG001 - rolled back by it
) -> Iterator[AppClient]:
    """An httpx client that calls the application in this process."""
    client = AppClient(harness_running_app, harness_client_options)
    yield client
    client.app_transport.finish()


@pytest.fixture(scope="session")
def harness_own_loop() -> Iterator[LoopThread]:
    """An event loop of the harness's own, with or without a database."""
    with closing(LoopThread(instead=_INSTEAD)) as loop:
        yield loop


@pytest.fixture(scope="session")
def harness_own_portal(
    harness_own_loop: LoopThread, harness_residents: Residents
) -> BlockingPortal:
    """The same loop, as anyio's users know it."""
    return harness_own_loop.run(harness_residents.enter(_portal()))


@pytest.fixture(scope="session")
def harness_loop_thread(
    harness_own_loop: LoopThread,
    harness_sandbox: Sandbox,  # noqa: ARG001 - its connections end with the loop, before it does
) -> LoopThread:
    """The event loop on which the application of `def` tests lives."""
    return harness_own_loop


@pytest.fixture
def harness_sync_client(
    harness_running_app: RunningApp,
    harness_loop_thread: LoopThread,
    harness_client_options: ClientOptions,
    harness_isolation: None,  # noqa: ARG001 - rolled back by it
) -> Iterator[SyncAppClient]:
    """An httpx client for `def` tests that calls the application in this process."""
    client = SyncAppClient(harness_running_app, harness_loop_thread, harness_client_options)
    yield client
    client.app_transport.finish()


@pytest.fixture
def harness_websockets(
    harness_running_app: RunningApp,
    harness_own_portal: BlockingPortal,
    harness_client_options: ClientOptions,
    harness_isolation: None,  # noqa: ARG001 - rolled back by it
) -> TestClient:
    """Starlette's client on the loop of the other fixtures for `def` tests."""
    from starlette.testclient import TestClient  # noqa: PLC0415 - it warns where httpx2 is missing

    client = TestClient(
        harness_running_app,
        base_url=harness_client_options.base_url,
        raise_server_exceptions=harness_client_options.raise_app_exceptions,
        root_path=harness_client_options.root_path,
        client=harness_client_options.address,
    )
    client.portal = harness_own_portal
    return client


@pytest.fixture(scope="session")
def harness_sync_engine(
    harness_stage: Stage,
    harness_app: Any,  # noqa: ANN401, ARG001 - the dependency is importable with it
    harness_loop_thread: LoopThread,
) -> Iterator[Engine]:
    """An engine for `def` tests on the application's driver, inside the test's isolation."""
    settings, root = harness_stage.project.configuration, harness_stage.project.root
    target = settings.session_dependency
    dependency = import_target(target, root=root) if target is not None else None
    url = application_url(harness_stage.url, settings.env, session_dependency=dependency)
    if url.get_backend_name() == "sqlite":
        url = url.set(drivername="sqlite")  # sees the application's file, and needs no loop
    if is_awaited_driver(url):
        yield bridged_engine(url, harness_loop_thread)
        return
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def harness_sync_db_session(
    harness_sync_engine: Engine,
    harness_isolation: None,  # noqa: ARG001 - rolled back by it
) -> Iterator[Session]:
    """A session for `def` tests in the same isolated world as the application's own."""
    with Session(harness_sync_engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def harness_overrides(harness_app: Any) -> Iterator[Overrides]:  # noqa: ANN401 - any application
    """Puts dependency overrides in place until the end of the test."""
    with overriding(harness_app) as override:
        yield override


@pytest.fixture
def client(request: pytest.FixtureRequest, harness_client: AppClient) -> AppClient:
    """An httpx client that calls the application in this process."""
    refuse_in_def_test(request, "client", instead="sync_client")
    return harness_client


@pytest.fixture
def sync_client(harness_sync_client: SyncAppClient) -> SyncAppClient:
    """An httpx client for `def` tests that calls the application in this process."""
    return harness_sync_client


@pytest.fixture
def sync_db_session(harness_sync_db_session: Session) -> Session:
    """A session for `def` tests in the same isolated world as the application's own."""
    return harness_sync_db_session


@pytest.fixture
def websockets(harness_websockets: TestClient) -> TestClient:
    """Starlette's client on the loop of the other fixtures for `def` tests."""
    return harness_websockets


@pytest.fixture
def overrides(harness_overrides: Overrides) -> Overrides:
    """Puts dependency overrides in place until the end of the test."""
    return harness_overrides


@asynccontextmanager
async def _portal() -> AsyncIterator[BlockingPortal]:
    async with BlockingPortal() as portal:  # made where it is to run
        yield portal
