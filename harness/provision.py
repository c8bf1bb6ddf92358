"""Which PostgreSQL a project works on: its configuration, and what its schema asks of a server.

Between the configuration and `harness.database`, which knows nothing of projects. All doors take
their server from here, so that all of them take the same one.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.database.search import SQLITE, Foresight, find_server, foresee
from harness.database.sources import Wish
from harness.database.sqlite import SqlitePlace

if TYPE_CHECKING:
    from harness.config import Project
    from harness.database.server import PostgresServer

__all__ = ["created_extensions", "foreseen_for", "place_for", "server_for"]

_CREATION = re.compile(
    r"^[^#\n]*?\bCREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:\\?[\"'])?([a-z_][\w-]*)",
    re.IGNORECASE | re.MULTILINE,
)
_SUFFIXES = {".py", ".sql"}


def place_for(project: Project) -> PostgresServer | SqlitePlace:
    """Where the databases of a project are made. Whoever calls this closes it.

    Returns:
        A PostgreSQL, started if need be; a folder, if the project works on SQLite.

    Raises:
        ConfigurationError: The choice is unknown, or its URL cannot be used.
        NoPostgresError: Nothing that was probed serves.
        ServerStartError: A server could be had and does not start.
    """
    if project.configuration.postgres == SQLITE:
        return SqlitePlace.begin()
    return server_for(project)


def server_for(project: Project) -> PostgresServer:
    """The PostgreSQL of a project, started if need be. Whoever calls this closes it.

    Raises:
        ConfigurationError: The choice is unknown, or its URL cannot be used.
        NoPostgresError: Nothing that was probed serves, or the project works on SQLite.
        ServerStartError: A server could be had and does not start.
    """
    return find_server(project.configuration.postgres, wish=_wish(project))


def foreseen_for(project: Project) -> Foresight:
    """What `server_for` would take, without starting anything.

    Raises:
        ConfigurationError: The choice is unknown.
    """
    return foresee(project.configuration.postgres, wish=_wish(project))


def created_extensions(project: Project) -> frozenset[str]:
    """The extensions that the migrations, or the modules of the metadata, create.

    Found in the text: running it would take the server that is about to be chosen. A line whose
    ``CREATE EXTENSION`` stands behind a ``#`` does not count.
    """
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in _schema_files(project))
    return frozenset(name for text in texts for name in _CREATION.findall(text))


def _wish(project: Project) -> Wish:
    return Wish(extensions=created_extensions(project), image=project.configuration.image)


def _schema_files(project: Project) -> Iterator[Path]:
    settings = project.configuration
    if settings.alembic is not None:
        folder = _migrations(project.root / settings.alembic, project.root)
        paths = folder.rglob("*") if folder is not None else ()
    elif settings.metadata is not None:
        module = project.root.joinpath(*settings.metadata.partition(":")[0].split("."))
        # Beside a single module may lie anything, such as a virtual environment.
        paths = module.rglob("*") if module.is_dir() else module.parent.glob("*")
    else:
        paths = ()
    return (path for path in paths if path.suffix in _SUFFIXES and path.is_file())


def _migrations(ini: Path, root: Path) -> Path | None:
    """The folder of the migration scripts; None where only running Alembic could tell."""
    parser = configparser.ConfigParser({"here": str(ini.parent).replace("%", "%%")})
    try:
        parser.read(ini, encoding="utf-8")
        location = parser.get("alembic", "script_location", fallback="")
    except configparser.Error:
        return None  # Alembic says so itself when the migrations are run
    # Relative to where Alembic is run; a colon stands between a package and its folder.
    folder = root.joinpath(*location.split(":"))
    return folder if location and folder.is_dir() else None
