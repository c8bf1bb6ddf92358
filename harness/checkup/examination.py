"""The steps of a checkup in order, each told to whoever watches, put together into a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from harness.capture.traffic import ExhaustionStory, LoadStory
from harness.checks.exhaustion import exhaustion
from harness.checks.probe import finding_of
from harness.checks.steady_load import connections_returned, pool_timeouts, steady_answers
from harness.checkup.drills import PoolNotOursError, exhaust, steady_load
from harness.checkup.endpoints import Examined, examine_endpoints
from harness.checkup.rows import rows_probe
from harness.config import Project
from harness.database.search import SQLITE
from harness.findings import Finding, Judgement, ProbeVerdict, Severity, Verdict, judge
from harness.provision import place_for
from harness.report.content import EndpointRow, Report
from harness.rig.trouble.locks import CannotBlockError
from harness.stage import Stage, staged
from harness.versions import DISTRIBUTION, installed_version, installed_versions

__all__ = ["Watcher", "examine"]


@dataclass(frozen=True, slots=True)
class Watcher:
    """Told how far the checkup is."""

    step: Callable[[str], None]
    """A new step begins, in a few words."""
    detail: Callable[[str], None]
    """What the step is working on."""


@dataclass(frozen=True, slots=True)
class _Load:
    story: LoadStory | None
    exhaustion: ExhaustionStory | None
    probes: tuple[ProbeVerdict, ...]


def examine(project: Project, *, is_strict_about_allowances: bool, watcher: Watcher) -> Report:
    """Run all steps.

    Args:
        project: What to examine.
        is_strict_about_allowances: Whether an allowance that matches nothing fails.
        watcher: Told of the progress.

    Raises:
        HarnessError: If the application cannot be examined at all.
    """
    began, began_at = time.perf_counter(), datetime.now(UTC)
    project.required_app()
    if project.configuration.postgres != SQLITE:
        watcher.step("Starting PostgreSQL")
    server = place_for(project)
    try:
        watcher.step(f"Preparing a database on {server.origin}")
        with staged(project, server) as stage:
            app = stage.load_app()
            stage.prepare()
            rows = rows_probe(stage.url)
            watcher.step("Counting statements per endpoint")
            examined = list(examine_endpoints(stage, app, progress=watcher.detail))
            load = _under_load(stage, examined, watcher)
    finally:
        server.close()
    by_probe = {verdict.probe: finding_of(verdict) for verdict in load.probes}
    judgement = judge(
        [
            *(finding for item in examined for finding in item.findings),
            *(finding for finding in by_probe.values() if finding is not None),
        ],
        project.configuration.allow,
    )
    probes = [_accepted(verdict, by_probe[verdict.probe], judgement) for verdict in load.probes]
    endpoints = tuple(_weighed(item, judgement) for item in examined)
    return Report(
        harness_version=installed_version(DISTRIBUTION),
        application=project.required_app(),
        database=server.origin,
        started_at=began_at.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
        versions=installed_versions(),
        verdict=_overall(judgement, probes, is_strict=is_strict_about_allowances),
        endpoints=endpoints,
        judgement=judgement,
        probes=(rows, _endpoint_probe(endpoints, judgement), *probes),
        load=load.story,
        exhaustion=load.exhaustion,
    )


def _under_load(stage: Stage, examined: Sequence[Examined], watcher: Watcher) -> _Load:
    if stage.files is not None:
        why = "SQLite lets one writer in at a time: load and the drills need PostgreSQL"
        return _Load(None, None, (ProbeVerdict("load", Verdict.SKIPPED, why),))
    loadable = [item for item in examined if item.is_loadable]
    plan = tuple((item.operation.name, item.operation.path or "") for item in loadable)
    on_database = tuple(
        (item.operation.name, item.operation.path or "") for item in loadable if item.uses_database
    )
    if not on_database:
        why = "no GET endpoint answered and ran SQL"
        return _Load(None, None, (ProbeVerdict("load", Verdict.SKIPPED, why),))
    watcher.step("Steady load with the application's own pool")
    story = steady_load(stage, plan)
    watcher.step("Running a small pool dry, and back")
    probes = [steady_answers(story), pool_timeouts(story), connections_returned(story)]
    try:
        drill = exhaust(stage, on_database, others=plan)
    except (PoolNotOursError, CannotBlockError) as error:
        is_given_up = isinstance(error, CannotBlockError)
        verdict = Verdict.INCONCLUSIVE if is_given_up else Verdict.SKIPPED
        probes.append(ProbeVerdict("exhaustion", verdict, error.what))
        return _Load(story, None, tuple(probes))
    return _Load(story, drill, (*probes, exhaustion(drill)))


def _weighed(item: Examined, judgement: Judgement) -> EndpointRow:
    """An endpoint fails by what is open; what is accepted is a warning."""
    is_accepted = item.findings and not set(item.findings) & set(judgement.open)
    if item.row.verdict is Verdict.FAIL and is_accepted:
        return replace(item.row, verdict=Verdict.WARN)
    return item.row


def _accepted(verdict: ProbeVerdict, finding: Finding | None, judgement: Judgement) -> ProbeVerdict:
    """A probe fails by an open finding; one that is accepted is a warning."""
    if finding is None or finding in judgement.open:
        return verdict
    return replace(verdict, verdict=Verdict.WARN)


def _endpoint_probe(endpoints: Sequence[EndpointRow], judgement: Judgement) -> ProbeVerdict:
    counted = [row for row in endpoints if row.verdict is not Verdict.SKIPPED]
    summary = (
        f"{len(counted)} of {len(endpoints)} GET endpoints counted, "
        f"{len(judgement.open)} open findings, {len(judgement.accepted)} accepted"
    )
    if not counted:
        return ProbeVerdict("statements", Verdict.INCONCLUSIVE, "no endpoint could be counted")
    return ProbeVerdict("statements", _of_findings(judgement), summary)


def _of_findings(judgement: Judgement) -> Verdict:
    severities = {finding.severity for finding in judgement.open}
    if severities & {Severity.ERROR, Severity.WARNING}:
        return Verdict.FAIL
    return Verdict.PASS


def _overall(judgement: Judgement, probes: Iterable[ProbeVerdict], *, is_strict: bool) -> Verdict:
    answers = {probe.verdict for probe in probes} | {_of_findings(judgement)}
    if Verdict.FAIL in answers or (is_strict and judgement.unmatched):
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in answers else Verdict.PASS
