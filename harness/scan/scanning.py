"""The steps of a scan in order: rows, requests, more rows, the same requests, a report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

from harness.asgi.app import import_target
from harness.asgi.overrides import overriding
from harness.asgi.running import RunningApp
from harness.capture import RequestTracker, SourceMap
from harness.config import Project
from harness.database.populate import Filled, Population
from harness.database.rollback import Sandbox
from harness.database.schema import committed
from harness.errors import ConfigurationError, TargetImportError
from harness.findings import Judgement, judge
from harness.loops import Residents
from harness.provision import server_for
from harness.report.scan_content import ScanReport, ScanRow, TableRow
from harness.scan.asking import Scanned, ask, ask_for_pages
from harness.scan.calls import Caller
from harness.scan.operations import scanned_operations
from harness.scan.row_values import RowValues
from harness.scan.verdicts import overall, scan_row, weighed
from harness.stage import Stage, staged

__all__ = ["SIZES", "Progress", "overridden", "scan"]

SIZES = (2, 3, 10)
"""Rows for each table; what grows is fitted on the two largest, the first shows that it holds."""


class Progress(Protocol):
    """Told how far the scan is."""

    def step(self, text: str) -> None:
        """A new step begins, in a few words."""

    def detail(self, text: str) -> None:
        """What the step is working on."""


def scan(
    project: Project,
    *,
    progress: Progress,
    sizes: Sequence[int] = SIZES,
    is_wanted: Callable[[str], bool] = lambda _: True,
) -> ScanReport:
    """Scan the configured application, on a database that is made for it and dropped.

    Args:
        project: Whose application.
        progress: Told of every step.
        sizes: Rows for each table, at least two sizes.
        is_wanted: Chooses operations by name, e.g. ``GET /users``.

    Raises:
        HarnessError: If the application cannot be scanned at all.
    """
    began, began_at = time.perf_counter(), datetime.now(UTC)
    target = project.required_app()
    progress.step("Starting PostgreSQL")
    server = server_for(project)
    try:
        progress.step(f"Preparing a database on {server.origin}")
        with staged(project, server) as stage:
            app = stage.load_app()
            stage.prepare()
            with overridden(app, project):
                session = _Scan(stage, app, sorted(sizes), progress)
                scanned = session.run(is_wanted)
    finally:
        server.close()
    endpoints, judgement = _judged(scanned, project)
    return ScanReport(
        harness_version=version("fastapi-sqlalchemy-harness"),
        application=target,
        database=server.origin,
        started_at=began_at.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
        sizes=tuple(session.sizes),
        verdict=overall(endpoints, judgement),
        endpoints=endpoints,
        tables=tuple(TableRow(*astuple(item)) for item in session.filled),
        judgement=judgement,
    )


def _judged(scanned: Sequence[Scanned], project: Project) -> tuple[tuple[ScanRow, ...], Judgement]:
    pairs = [scan_row(item) for item in scanned]
    found = [finding for _, findings in pairs for finding in findings]
    judgement = judge(found, project.configuration.allow)
    return tuple(weighed(row, findings, judgement) for row, findings in pairs), judgement


@contextmanager
def overridden(app: Any, project: Project) -> Iterator[None]:  # noqa: ANN401 - any application
    """Put the configured overrides in place for the block.

    Raises:
        TargetImportError: One of the names cannot be imported.
        ConfigurationError: No route has the dependency, or it cannot be called.
    """
    with overriding(app) as override:
        override(_replacements(project))
        yield


def _replacements(project: Project) -> Mapping[Callable[..., Any], Callable[..., Any]]:
    found = {}
    for dependency, replacement in project.configuration.overrides.items():
        try:
            pair = [import_target(name, root=project.root) for name in (dependency, replacement)]
        except TargetImportError as error:
            error.where = error.where or "overrides in [tool.harness]"
            raise
        for name, each in zip((dependency, replacement), pair, strict=True):
            if not callable(each):
                raise ConfigurationError(
                    f"{name!r} is a {type(each).__name__}, which cannot be called",
                    where="overrides in [tool.harness]",
                )
        found[pair[0]] = pair[1]
    return found


@dataclass(slots=True, eq=False)
class _Scan:
    """A prepared stage, with rows growing on it."""

    stage: Stage
    app: Any
    sizes: Sequence[int]
    progress: Progress
    filled: tuple[Filled, ...] = ()

    def run(self, is_wanted: Callable[[str], bool]) -> list[Scanned]:
        """Request everything at every size.

        What has a path parameter names one row, and answers with what belongs to it: there the
        children of the first row of each table grow instead of the tables.
        """
        residents = Residents()
        sandbox = Sandbox(self.stage.url, residents)
        tracker = RequestTracker()
        running = RunningApp(tracker.wrap(self.app), residents, around_lifespan=sandbox.bypassed)
        settings = self.stage.project
        source = SourceMap(settings.root, settings.configuration.app_packages)
        scanned = [Scanned(item) for item in scanned_operations(self.app) if is_wanted(item.name)]
        with asyncio.Runner() as runner, sandbox.installed():
            self.progress.step("Starting the application")
            runner.run(running.started())
            population = committed(self.stage.url, Population.read)
            caller = Caller(running, sandbox, tracker, source, runner)
            for size in self.sizes:
                self._rows(population, size)
                self._request(scanned, caller, population, size, is_of_one_row=False)
            is_of_rows = any("{" in item.operation.route for item in scanned)
            for size in self.sizes if is_of_rows else ():
                committed(self.stage.url, partial(population.crowd, to=size))
                self._request(scanned, caller, population, size, is_of_one_row=True)
            residents.close()
        return scanned

    def _rows(self, population: Population, size: int) -> None:
        self.filled = committed(self.stage.url, partial(population.grow, to=size))
        full = sum(not item.problem for item in self.filled)
        self.progress.step(f"n = {size}: {full} of {len(self.filled)} tables filled")

    def _request(
        self,
        scanned: Sequence[Scanned],
        caller: Caller,
        population: Population,
        size: int,
        *,
        is_of_one_row: bool,
    ) -> None:
        chosen = [item for item in scanned if ("{" in item.operation.route) is is_of_one_row]
        if chosen and is_of_one_row:
            self.progress.step(f"n = {size} for one row: {len(chosen)} endpoints with its key")
        for number, item in enumerate(chosen, start=1):
            self.progress.detail(f"{number} of {len(chosen)}  {item.operation.name}")
            if not item.is_given_up:
                ask(item, caller, RowValues(population), size)
            if size == max(self.sizes):
                ask_for_pages(item, caller, size)
