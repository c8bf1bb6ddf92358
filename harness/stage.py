"""From a project's configuration to a database that its application can work on.

What the doors share: pytest, ``checkup``, ``serve`` and Locust all set the same stage, in the same
order. Server, database, environment, application, tables, rows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, MetaData

from harness.asgi.app import (
    environment_for,
    import_target,
    load_app,
    require_dependency,
)
from harness.config import Project
from harness.database.clones import Run, begun_run
from harness.database.clones.keys import (
    content_of,
    ddl_of,
    imported_files,
    key_of,
    migration_files,
)
from harness.database.schema import create_tables, metadata_of, run_migrations, write_rows
from harness.database.server import PostgresServer
from harness.errors import IsolationError

__all__ = ["Stage", "staged"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A project's database, made for us, with its tables and rows."""

    project: Project
    server: PostgresServer
    url: URL
    """Of the database, with the asyncpg driver."""
    run: Run | None = None
    """The databases that were made for it; None on one that is used as it is."""

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

    def required_run(self) -> Run:
        """The databases that were made for it.

        Raises:
            IsolationError: If it is somebody's database, used as it is.
        """
        if self.run is None:
            raise IsolationError(f"{self.url.database!r} was not made for tests")
        return self.run

    def environment(self) -> dict[str, str]:
        """What the application reads its database from."""
        return environment_for(self.project.configuration.env, self.url)

    def prepare(self) -> None:
        """Make tables and rows, as configured; or copy them, if an earlier run has made the same.

        Raises:
            MisuseError: If a target cannot be imported or a migration fails.
            NoDatabaseError: If the server refuses a database.
        """
        if self.run is None:
            self._make()
        else:
            self.run.prepare(self._key(), self._make)

    def _make(self) -> None:
        settings, root = self.project.configuration, self.project.root
        if settings.alembic is not None:
            run_migrations(root / settings.alembic, environment=self.environment(), root=root)
        elif settings.metadata is not None:
            create_tables(self.url, self._metadata(settings.metadata))
        if settings.populate is not None:
            write_rows(self.url, self._imported(settings.populate))

    def _key(self) -> str | None:
        """What tables and rows depend on; None where nobody can tell, or nothing makes any."""
        settings, root = self.project.configuration, self.project.root
        parts: list[str | bytes] = [self.server.origin, json.dumps(dict(settings.env))]
        if settings.alembic is not None:
            files = migration_files(root / settings.alembic, root)
            if files is None:
                return None
            parts += content_of(files)
        elif settings.metadata is not None:
            ddl = ddl_of(self._metadata(settings.metadata))
            if ddl is None:
                return None
            parts.append(ddl)
        else:
            return None
        if settings.populate is not None:
            self._imported(settings.populate)
            source = sys.modules[settings.populate.partition(":")[0]].__file__
            # Rows often hold times: those of yesterday would be another base line.
            parts += [settings.populate, datetime.now(UTC).date().isoformat()]
            parts += content_of(imported_files([Path(source)] if source else [], root))
        return key_of(parts)

    def _metadata(self, target: str) -> MetaData:
        return metadata_of(self._imported(target), target=target)

    def _imported(self, target: str) -> Any:  # noqa: ANN401 - whatever the name holds
        os.environ.update(self.environment())
        return import_target(target, root=self.project.root)


@contextmanager
def staged(project: Project, server: PostgresServer, *, worker: str = "") -> Iterator[Stage]:
    """Make a database of our own for the block, and drop it afterwards.

    Args:
        project: Whose application will work on it.
        server: Where to make it.
        worker: Which of several parallel runs this is, for the names of its databases.

    Yields:
        The stage; its tables and rows are made by `Stage.prepare`, after the application was
        loaded where ``metadata`` is only complete then.

    Raises:
        NoDatabaseError: If the server refuses a database.
    """
    with begun_run(server.address, worker=worker) as run:
        yield Stage(project, server, server.address.url(run.database), run)
