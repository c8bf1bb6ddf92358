"""From a project's configuration to a database that its application can work on.

What the doors share: pytest, ``checkup``, ``serve`` and Locust all set the same stage, in the same
order. Server, database, environment, application, tables, rows.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL

from harness.asgi.app import (
    environment_for,
    import_target,
    load_app,
    require_dependency,
)
from harness.config import Project
from harness.database.admin import create_database, drop_database
from harness.database.schema import create_tables, metadata_of, run_migrations, write_rows
from harness.database.server import PostgresServer

__all__ = ["Stage", "staged"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A project's database, made for us, with its tables and rows."""

    project: Project
    server: PostgresServer
    url: URL
    """Of the database, with the asyncpg driver."""

    def load_app(self) -> Any:  # noqa: ANN401 - any ASGI application
        """Import the configured application against the database.

        Raises:
            MisuseError: If the configuration does not fit the application.
        """
        settings = self.project.configuration
        app = load_app(
            self.project.required_app(), root=self.project.root, environment=self.environment()
        )
        if settings.session_dependency is not None:
            dependency = import_target(settings.session_dependency, root=self.project.root)
            require_dependency(
                app, dependency, what=f"session_dependency = {settings.session_dependency!r}"
            )
        return app

    def environment(self) -> dict[str, str]:
        """What the application reads its database from."""
        return environment_for(self.project.configuration.env, self.url)

    def prepare(self) -> None:
        """Make tables and rows, as configured.

        Raises:
            MisuseError: If a target cannot be imported or a migration fails.
        """
        settings, root = self.project.configuration, self.project.root
        if settings.alembic is not None:
            run_migrations(root / settings.alembic, environment=self.environment(), root=root)
        elif settings.metadata is not None:
            os.environ.update(self.environment())
            found = import_target(settings.metadata, root=root)
            create_tables(self.url, metadata_of(found, target=settings.metadata))
        if settings.populate is not None:
            os.environ.update(self.environment())
            write_rows(self.url, import_target(settings.populate, root=root))


@contextmanager
def staged(project: Project, server: PostgresServer) -> Iterator[Stage]:
    """Make a database of our own for the block, and drop it afterwards.

    Yields:
        The stage; its tables and rows are made by `Stage.prepare`, after the application was
        loaded where ``metadata`` is only complete then.
    """
    name = f"harness_{secrets.token_hex(6)}"
    create_database(server.address, name)
    try:
        yield Stage(project, server, server.address.url(name))
    finally:
        with _best_effort():
            drop_database(server.address, name)


@contextmanager
def _best_effort() -> Iterator[None]:
    """The server may be gone with everything on it; what happened before must stay visible."""
    try:
        yield
    except OSError as error:
        print(f"harness: the database could not be dropped: {error}", file=sys.stderr)  # noqa: T201 - a last word
