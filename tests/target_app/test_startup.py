"""The application refuses to start on a database that it cannot use, and says what to do."""

import socket

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
