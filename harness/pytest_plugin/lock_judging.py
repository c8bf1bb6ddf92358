"""What a run means for the lock: what changed, whether it fails, and whether that could be told.

Reads the lock and nothing else; what is written and what is said is decided by what stands here.
A gate that could not see has a problem, and a problem fails the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from harness.checks.regression import Change, EndpointChange, compared
from harness.errors import LockError
from harness.findings import Finding, Verdict
from harness.lock.counts import QueryLock
from harness.lock.file import read
from harness.pytest_plugin.detection import is_told
from harness.pytest_plugin.lock_run import Seen
from harness.pytest_plugin.lock_settings import LockSettings, Mode
from harness.report.quantities import counted
from harness.report.query_content import QueryReport
from harness.report.query_wording import missing_endpoints, regressions

__all__ = ["Judged", "judged"]

_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a run."""

    report: QueryReport
    findings: tuple[Finding, ...]
    """Those that fail it."""


def judged(settings: LockSettings, seen: Seen) -> Judged:
    """Compare what was seen with the lock."""
    problems = tuple(_uncounted(seen))
    changes: tuple[EndpointChange, ...] = ()
    if settings.mode is not Mode.OFF:  # nobody reads a lock for the sake of a report
        try:
            lock = _lock(settings)
        except LockError as error:
            problems = (str(error), *problems)
        else:
            problems = problems or tuple(_blindness(settings, seen, lock))
            changes = tuple(_changes(lock, seen))
    failing = tuple(_failing(seen)) if settings.mode.is_gate else ()
    report = QueryReport(
        harness_version=_version(),
        application=settings.application,
        mode=str(settings.mode),
        verdict=Verdict.PASS,
        problems=problems,
        gaps=seen.gaps,
        tests=seen.tests,
        seen=seen.observed.counts,
        changes=changes,
        sites=seen.observed.sites,
        witnesses=seen.observed.witnesses,
        judgement=seen.judgement,
    )
    return Judged(_with_verdict(report, seen, failing), failing)


def _failing(seen: Seen) -> Iterator[Finding]:
    """Findings of endpoints: what a test does by itself is for `fail_on`."""
    counts = seen.observed.counts.dialects.values()
    requested = {name.partition(" @ ")[0] for endpoints in counts for name in endpoints}
    for finding in seen.judgement.open:
        if is_told(finding) and finding.anchor in requested:
            yield finding


def _with_verdict(report: QueryReport, seen: Seen, failing: tuple[Finding, ...]) -> QueryReport:
    verdict = Verdict.PASS
    if report.problems:
        verdict = Verdict.INCONCLUSIVE
    elif failing or regressions(report) or missing_endpoints(report):
        verdict = Verdict.FAIL
    elif not seen.requests and report.mode != Mode.OFF:
        verdict = Verdict.SKIPPED
    elif any(map(is_told, seen.judgement.open)):
        verdict = Verdict.WARN
    return replace(report, verdict=verdict)


def _lock(settings: LockSettings) -> QueryLock:
    """The lock; where it is to be made, an empty one.

    Raises:
        LockError: If there is none to compare with, or it cannot be read.
    """
    needs_file = settings.mode in {Mode.CHECK, Mode.TIGHTEN}
    return read(settings.path) if needs_file or settings.path.exists() else QueryLock()


def _uncounted(seen: Seen) -> Iterator[str]:
    blind = seen.observed.blind
    if blind:
        more = f"; and {len(blind) - _MOST_TOLD} more" if len(blind) > _MOST_TOLD else ""
        yield f"not everything could be counted: {'; '.join(blind[:_MOST_TOLD])}{more}"


def _blindness(settings: LockSettings, seen: Seen, lock: QueryLock) -> Iterator[str]:
    if not seen.requests:
        if settings.is_explicit or not seen.gaps:
            yield (
                "no request to the application was observed: nothing was checked.\n"
                "Observed is what tests request, in their own process, of the application that "
                "[tool.harness] names, as `app`: the same object that their clients call"
            )
    elif not seen.observed.counts.dialects:
        yield from _silence(seen, lock)
    elif settings.mode is Mode.CHECK:
        yield from _other_dialects(seen, lock)


def _silence(seen: Seen, lock: QueryLock) -> Iterator[str]:
    """Requests without any statement are nothing odd, unless the lock has some of the same."""
    requested = set(seen.observed.sites)
    counts = [
        name
        for endpoints in lock.dialects.values()
        for name, found in endpoints.items()
        if found.statements and (name.partition(" @ ")[0] in requested or not seen.gaps)
    ]
    if counts:
        yield (
            f"{counted(seen.requests, 'request')} ran not a single statement, and the lock has "
            f"{counts[0]} with some: no engine was observed.\n"
            "Statements are counted that run through SQLAlchemy in the process of the tests"
        )


def _other_dialects(seen: Seen, lock: QueryLock) -> Iterator[str]:
    here, there = seen.observed.counts.dialects, lock.dialects
    if there and not here.keys() & there.keys():
        yield (
            f"the lock has counts of {', '.join(sorted(there))} only, and the tests ran on "
            f"{', '.join(sorted(here))}: nothing can be compared.\n"
            "Run them on the same database as the lock, or add counts of this one: "
            "pytest --query-lock=create"
        )


def _changes(lock: QueryLock, seen: Seen) -> Iterator[EndpointChange]:
    """What changed as far as this run can tell: a part of the tests shows no maximum."""
    less = {Change.IMPROVEMENT, Change.GONE}
    for change in compared(lock, seen.observed.counts):
        if change.dialect not in seen.observed.counts.dialects:
            continue
        if not (seen.gaps and change.change in less):
            yield change


def _version() -> str:
    try:
        return version("fastapi-sqlalchemy-harness")
    except PackageNotFoundError:
        return "unknown"
