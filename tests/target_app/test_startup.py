"""The application refuses to start on a database that it cannot use, and says what to do."""

import socket
from typing import Any

import pytest

from target_app.db.startup import DatabaseNotReadyError
from target_app.main import create_app
from target_app.settings import Settings


def _port_nobody_listens_on() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_an_unreachable_database_is_named_without_its_password() -> None:
    url = f"postgresql+asyncpg://user:hunter2@127.0.0.1:{_port_nobody_listens_on()}/blog"
    app = create_app(Settings(database_url=url))

    with pytest.raises(DatabaseNotReadyError, match="cannot reach the database") as refused:
        async with app.router.lifespan_context(app):
            pass

    assert "TARGET_APP_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_faults_are_mounted_only_when_a_setting_says_so() -> None:
    url = "postgresql+asyncpg://localhost/blog"
    healthy = create_app(Settings(database_url=url, faults=False)).openapi()["paths"]
    faulty = create_app(Settings(database_url=url, faults=True)).openapi()["paths"]

    added = set(faulty) - set(healthy)

    assert added
    assert not [path for path in healthy if path.startswith(("/faults/", "/twins/"))]
    assert all(path.startswith(("/faults/", "/twins/")) for path in added)


def test_every_fault_has_a_twin_with_the_same_response_model() -> None:
    url = "postgresql+asyncpg://localhost/blog"
    paths = create_app(Settings(database_url=url, faults=True)).openapi()["paths"]
    faults = {path for path in paths if path.startswith("/faults/")}
    twins = {path for path in paths if path.startswith("/twins/")}

    assert {path.replace("/faults/", "/twins/") for path in faults} == twins
    for fault in faults:
        twin = fault.replace("/faults/", "/twins/")
        assert _answer(paths[fault]) == _answer(paths[twin])


def _answer(operations: dict[str, Any]) -> object:
    return operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]["items"]
