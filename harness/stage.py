"""From a project's configuration to a database that its application can work on.

What the doors share: pytest, ``checkup``, ``serve`` and Locust all set the same stage, in the same
order. Server, database, environment, application, tables, rows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, MetaData

from harness.asgi.app import (
    environment_for,
    import_target,
    load_app,
    require_dependency,
)
from harness.config import Project
from harness.database.rollback.escapes import Unwatched, Watch
from harness.database.schema import create_tables, metadata_of, run_migrations, write_rows
from harness.database.search import no_server_wanted
from harness.database.server import PostgresServer
from harness.database.sqlite import SqliteCopies, SqlitePlace
from harness.database.sqlite.locks import explained_locks
from harness.errors import IsolationError

if TYPE_CHECKING:
    from harness.database.clones import Clones, Run
    from harness.database.clones.baseline import Uses
    from harness.database.rollback import Sandbox

__all__ = ["Stage", "staged"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A project's database, made for us, with its tables and rows."""

    project: Project
    server: PostgresServer | SqlitePlace
    url: URL
    """Of the database, with the asyncpg driver; on SQLite with aiosqlite."""
    run: Run | None = None
    """The databases that were made for it; None on one that is used as it is."""
    files: SqliteCopies | None = None
    """On SQLite, what was made for it."""

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

    @property
    def postgres(self) -> PostgresServer:
        """The server.

        Raises:
            NoPostgresError: If the project works on SQLite.
        """
        if isinstance(self.server, SqlitePlace):
            raise no_server_wanted()
        return self.server

    def own_databases(self, uses: Uses) -> Clones | SqliteCopies:
        """Where tests get databases of their own.

        Args:
            uses: What this process does with the database of all.

        Raises:
            IsolationError: If it is somebody's database, used as it is.
        """
        if self.files is not None:
            return self.files
        from harness.database.clones import Clones  # noqa: PLC0415 - needs the extra

        return Clones(self.required_run(), uses)

    def watch(self) -> Watch:
        """What keeps strangers out of the database while tests are rolled back."""
        if self.run is None:
            return Unwatched()
        from harness.database.clones.seal import watch_over  # noqa: PLC0415 - needs the extra

        return watch_over(self.run, self.project.configuration.escape)

    @contextmanager
    def undone(self, sandbox: Sandbox) -> Iterator[None]:
        """Nothing that happens to the database inside the block is there afterwards."""
        with ExitStack() as stack:
            own = stack.enter_context(self.files.one_test("clone")) if self.files else None
            stack.enter_context(sandbox.one_test(own=own))
            yield

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
        from harness.database.clones import keys  # noqa: PLC0415 - needs the extra

        settings, root = self.project.configuration, self.project.root
        parts: list[str | bytes] = [self.server.origin, json.dumps(dict(settings.env))]
        if settings.alembic is not None:
            files = keys.migration_files(root / settings.alembic, root)
            if files is None:
                return None
            parts += keys.content_of(files)
        elif settings.metadata is not None:
            ddl = keys.ddl_of(self._metadata(settings.metadata))
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
            parts += keys.content_of(keys.imported_files([Path(source)] if source else [], root))
        return keys.key_of(parts)

    def _metadata(self, target: str) -> MetaData:
        return metadata_of(self._imported(target), target=target)

    def _imported(self, target: str) -> Any:  # noqa: ANN401 - whatever the name holds
        os.environ.update(self.environment())
        return import_target(target, root=self.project.root)


@contextmanager
def staged(
    project: Project, server: PostgresServer | SqlitePlace, *, worker: str = ""
) -> Iterator[Stage]:
    """Make a database of our own for the block, and drop it afterwards.

    Args:
        project: Whose application will work on it.
        server: Where to make it; on SQLite, a folder.
        worker: Which of several parallel runs this is, for the names of its databases.

    Yields:
        The stage; its tables and rows are made by `Stage.prepare`, after the application was
        loaded where ``metadata`` is only complete then.

    Raises:
        NoDatabaseError: If the server refuses a database.
    """
    if isinstance(server, SqlitePlace):
        url = server.url(worker)
        with closing(SqliteCopies(Path(url.database or ""))) as files, explained_locks():
            yield Stage(project, server, url, files=files)
        return
    from harness.database.clones import begun_run  # noqa: PLC0415 - needs the extra

    with begun_run(server.address, worker=worker) as run:
        yield Stage(project, server, server.address.url(run.database), run)
