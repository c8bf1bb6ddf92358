"""The address that stands in for a database that there is not yet.

An application's settings and engine are often made while it is imported, long before a test needs a
database and a server is started for it. The configured environment variables hold this address
until then. Importing this module loads nothing: it is needed before anything else is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["HOST", "NAME", "POSTGRES", "is_stand_in", "led", "on_sqlite"]

HOST = "no-database-yet.ask-for-the-fixture-app.harness.invalid"
"""No resolver knows a name in ``.invalid`` (RFC 6761); who reads it in an error knows more."""
NAME = "test_stands_in_test"
"""Applications refuse to be tested on what neither begins nor ends like a test database."""
_PORT = "5432"
_USER = "harness_stands_in"
_PLACE = f"{_USER}:{_USER}@{HOST}:{_PORT}/{NAME}"

POSTGRES: Mapping[str, str] = MappingProxyType(
    {
        "url": f"postgresql://{_PLACE}",
        "async_url": f"postgresql+asyncpg://{_PLACE}",
        "sync_url": f"postgresql+psycopg://{_PLACE}",
        "host": HOST,
        "port": _PORT,
        "user": _USER,
        "password": _USER,
        "database": NAME,
    }
)
"""What the placeholders of the configured environment variables are filled with."""


def on_sqlite() -> dict[str, str]:
    """The same for a file of SQLite, in a folder that is not there."""
    urls = {"url": "sqlite", "async_url": "sqlite+aiosqlite", "sync_url": "sqlite"}
    nothing = dict.fromkeys(POSTGRES, "")
    filled = {word: f"{driver}:///{_file()}" for word, driver in urls.items()}
    return nothing | filled | {"database": _file()}


def is_stand_in(arguments: Sequence[Any], options: Mapping[str, Any]) -> bool:
    """Whether a driver is about to connect to it, or to a part of it that alone was asked for."""
    if NAME in (options.get("database"), options.get("dbname")) or options.get("host") == HOST:
        return True
    return bool(arguments) and _file() in str(arguments[0])


def led(
    arguments: Sequence[Any], options: Mapping[str, Any], url: URL
) -> tuple[list[Any], dict[str, Any]]:
    """A driver's arguments and options with a database's address where they have the stand-in's.

    What the application says itself stays: it has not asked for that.
    """
    real = {
        "host": (HOST, url.host),
        "port": (_PORT, url.port),
        "user": (_USER, url.username),
        "password": (_USER, url.password),
        "database": (NAME, url.database),
        "dbname": (NAME, url.database),
    }
    stood_in = {word for word, (old, _) in real.items() if str(options.get(word)) == old}
    kept = {word: value for word, value in options.items() if word not in stood_in}
    changed = {word: real[word][1] for word in stood_in if real[word][1] is not None}
    files = [
        said.replace(_file(), url.database or "") if isinstance(said, str) else said
        for said in arguments
    ]
    return files, kept | changed


def _file() -> str:
    # Where an application may make the folder, if that is what it does while it is imported.
    return str(Path(tempfile.gettempdir()) / HOST / f"{NAME}.db")
