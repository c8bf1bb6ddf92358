"""All that a load probe needs beside its generator, held by one object and given back with it.

Server, database with tables and rows, the watcher of the server, and, one after the other, the
application with different parameters. The commands of the rig are its methods.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from harness.config import load_project
from harness.database.activity import activity_sampler
from harness.database.admin import MAINTENANCE_DATABASE
from harness.database.owned import OwnedServer
from harness.database.sqlite import SqlitePlace
from harness.errors import MisuseError
from harness.pool_choice import PoolChoice
from harness.provision import place_for
from harness.rig.emptiness import empty_tables
from harness.rig.protocol import Grown, Serving, Started, Stretch
from harness.rig.rows import counted_rows
from harness.rig.scratch import Scratch, scratch
from harness.rig.server_statements import ServerStatements, server_statements
from harness.rig.trouble.ledger import keys_by_select
from harness.rig.trouble.proxy import Proxy, proxied
from harness.rig.trouble.refusal import CannotTroubleError
from harness.rig.trouble.restart import keep_answered_commits
from harness.rig.troubles import Scene, trouble_named
from harness.rig.window import NOT_WATCHED, Observatory
from harness.served import ServedApplication, serving
from harness.stage import Stage, staged

__all__ = ["Bench"]

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Place:
    """What `Bench.start` has made."""

    stage: Stage
    observatory: Observatory


@dataclass(slots=True, eq=False)
class Bench:
    """Holds what was started; `close` gives all of it back.

    Attributes:
        progress: Told of each step, in a few words.
    """

    progress: Callable[[str], None]
    _resources: ExitStack = field(default_factory=ExitStack)
    _place: _Place | None = None
    _serving: ExitStack = field(default_factory=ExitStack)
    _served: ServedApplication | None = None
    _proxy: Proxy | None = None
    _scratch: Scratch | None = None
    _counting: ExitStack = field(default_factory=ExitStack)
    _statements: ServerStatements | None = None
    _trouble: ExitStack = field(default_factory=ExitStack)
    _facts: Mapping[str, Any] = field(default_factory=dict)

    def start(self, folder: str) -> Started:
        """Make a project's database.

        Args:
            folder: The project's, or one below it.

        Raises:
            HarnessError: It cannot be made; or one has been made already.
        """
        if self._place is not None:
            raise MisuseError("this rig has started already", remedy="one rig for each project")
        os.chdir(folder)  # as the user's own commands, and what the application reads, expect it
        project = load_project(Path(folder))
        project.required_app()
        with ExitStack() as stack:
            self.progress("starting the database server")
            server = stack.enter_context(closing(place_for(project)))
            self.progress(f"preparing a database on {server.origin}")
            stage = stack.enter_context(staged(project, server))
            stage.load_app()  # metadata may be complete only then
            stage.prepare()
            if isinstance(server, OwnedServer):
                keep_answered_commits(stage.url)
            sampler = None
            if not isinstance(server, SqlitePlace):
                database = stage.url.database or ""
                sampler = stack.enter_context(activity_sampler(server.address, database))
            self._resources = stack.pop_all()
        self._place = _Place(stage, Observatory(sampler, os.getpid()))
        why_not = "" if sampler is not None else NOT_WATCHED
        server_pid = self._place.observatory.server_pid()
        return Started(stage.url.database or "", server.origin, os.getpid(), server_pid, why_not)

    def serve(
        self,
        *,
        pool_size: int | None = None,
        max_overflow: int | None = None,
        pool_timeout: float | None = None,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        is_proxied: bool = False,
        is_scratch: bool = False,
        is_echoing: bool = False,
        start_seconds: float = _START_SECONDS,
    ) -> Serving:
        """Serve the application with these parameters; one that is served is stopped first.

        Args:
            pool_size: In place of the application's own; likewise the next two.
            max_overflow: See `pool_size`.
            pool_timeout: See `pool_size`.
            workers: Processes.
            environment: Further variables for them. What the configuration sets wins.
            is_proxied: Put a proxy between application and server, whose network can be cut.
            is_scratch: On a copy of the database, which `grow_rows` may fill, and which is dropped
                when serving stops.
            is_echoing: Its engines log what they execute.
            start_seconds: How long it may take to come up.

        Raises:
            MisuseError: Nothing was started.
            ServerStartError: The application does not come up.
        """
        stage = self._required_place().stage
        self.stop()
        pool = PoolChoice(pool_size, max_overflow, pool_timeout)
        self.progress(f"serving with {', '.join(pool.options()) or 'its own pool'}")
        with ExitStack() as stack:
            copy = stack.enter_context(scratch(stage)) if is_scratch else None
            url = stage.url if copy is None else copy.url
            options = ["--database", url.database or "", "--workers", str(workers)]
            options += ["--echo"] if is_echoing else []
            is_reached = is_proxied and not isinstance(stage.server, SqlitePlace)
            proxy = stack.enter_context(proxied(stage.url)) if is_reached else None
            served = stack.enter_context(
                serving(
                    [*options, *pool.options()],
                    environment={**(environment or {}), **_server_seen_from(stage, proxy)},
                    start_seconds=start_seconds,
                )
            )
            self._serving, self._served, self._proxy = stack.pop_all(), served, proxy
            self._scratch = copy
        empty = 0 if is_scratch else empty_tables(stage.url)
        return Serving(served.url, served.token, served.workers, str(served.log or ""), empty)

    def stop(self) -> None:
        """Stop serving, if anything is served; its troubles are over before."""
        served, self._serving = self._serving, ExitStack()
        self._served = self._proxy = self._scratch = None
        with served:
            self.end_statements()
            self.end_trouble()

    def begin_window(self, generator_pids: Iterable[int] = ()) -> None:
        """A stretch of load begins.

        Args:
            generator_pids: Processes of the generator.

        Raises:
            MisuseError: Nothing is served.
        """
        self._required_place().observatory.begin(self._required_served(), generator_pids)

    def end_window(self, rest_seconds: float = 0.0) -> Stretch:
        """A stretch of load has ended.

        Args:
            rest_seconds: How long to wait afterwards until no connection is out.

        Raises:
            MisuseError: None has begun.
        """
        observatory = self._required_place().observatory
        return observatory.end(rest_seconds=rest_seconds)

    def begin_trouble(self, name: str, **options: object) -> Mapping[str, Any]:
        """Make trouble for the application's database; one at a time.

        Args:
            name: One of `harness.rig.troubles.TROUBLES`.
            options: Of that trouble.

        Returns:
            What was done.

        Raises:
            MisuseError: It does not exist, or not with such options.
            CannotTroubleError: It cannot be made here.
        """
        self.end_trouble()
        begin = trouble_named(name)
        try:
            self._facts = self._trouble.enter_context(begin(self._scene(), **options))
        except (TypeError, ValueError) as error:
            raise MisuseError(f"the trouble {name!r} cannot be made so: {error}") from error
        return self._facts

    def end_trouble(self) -> Mapping[str, Any]:
        """End the trouble, if there is one.

        Returns:
            What was done altogether.
        """
        trouble, self._trouble = self._trouble, ExitStack()
        trouble.close()
        facts, self._facts = self._facts, {}
        return facts

    def rows(self, select: str) -> int:
        """What a ``SELECT`` of one number gives, in the application's database.

        Raises:
            MisuseError: It is no such statement, or there is no server.
        """
        stage = self._required_place().stage
        return counted_rows(stage.url, select)

    def keys(self, select: str, beginning: str) -> Mapping[str, int]:
        """How often each key is in the application's database; see `ledger.keys_by_select`."""
        return keys_by_select(self._required_place().stage.url, select, beginning=beginning)

    def grow_rows(self, rows: int) -> Grown:
        """Bring every table of the copy that is served to so many further rows.

        Raises:
            MisuseError: What is served is no copy.
        """
        if self._scratch is None:
            raise MisuseError("rows are added to a copy", remedy="serve with is_scratch=True")
        self.progress(f"adding rows: {rows} more in every table")
        return self._scratch.grow(rows)

    def begin_statements(self) -> str:
        """Count what the server runs for the application.

        Returns:
            Why it does not count; empty if it does.
        """
        self.end_statements()
        stage = self._required_place().stage
        if isinstance(stage.server, SqlitePlace):
            return "SQLite counts no statements"
        url = stage.url if self._scratch is None else self._scratch.url
        address = stage.server.address
        counting = server_statements(address, url.database or "")
        counted = self._counting.enter_context(counting)
        self._statements = None if isinstance(counted, str) else counted
        return counted if isinstance(counted, str) else ""

    def take_statements(self) -> Mapping[str, int]:
        """Executions by statement since the last time; see `ServerStatements.take`.

        Raises:
            MisuseError: Nobody counts.
        """
        if self._statements is None:
            raise MisuseError("nobody counts", remedy="begin to count first")
        return self._statements.take()

    def end_statements(self) -> None:
        """Count no more."""
        self._statements = None
        counting, self._counting = self._counting, ExitStack()
        counting.close()

    def close(self) -> None:
        """Give everything back."""
        with self._resources:
            self.stop()

    def _scene(self) -> Scene:
        place = self._required_place()
        if isinstance(place.stage.server, SqlitePlace):
            raise CannotTroubleError(NOT_WATCHED)
        backend = place.observatory.sampler.backend if place.observatory.sampler else None
        spare = frozenset() if backend is None else frozenset({backend})
        return Scene(place.stage.url, place.stage.postgres, self._proxy, spare)

    def _required_place(self) -> _Place:
        if self._place is None:
            raise MisuseError("nothing was started", remedy="start a project first")
        return self._place

    def _required_served(self) -> ServedApplication:
        if self._served is None:
            raise MisuseError("nothing is served", remedy="serve the application first")
        return self._served


def _server_seen_from(stage: Stage, proxy: Proxy | None) -> dict[str, str]:
    """Where the served application finds the server."""
    if isinstance(stage.server, SqlitePlace):
        return {}
    url: URL = stage.server.address.url(MAINTENANCE_DATABASE)
    seen = proxy.url(url) if proxy is not None else url
    return {"HARNESS_POSTGRES": seen.render_as_string(hide_password=False)}
