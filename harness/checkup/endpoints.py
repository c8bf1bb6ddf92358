"""Request every GET operation once and count the SQL: in this process, in rolled-back isolation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from harness.asgi.running import RunningApp
from harness.capture import Recording, RequestTracker, SourceMap, recording
from harness.capture.requests import ASGIApp
from harness.checks.verdict import findings_of
from harness.checkup.operations import Operation, get_operations
from harness.database.rollback import Sandbox
from harness.errors import HarnessError
from harness.findings import Finding, Severity, Verdict
from harness.loops import Residents
from harness.report.content import EndpointRow
from harness.stage import Stage

__all__ = ["Examined", "examine_endpoints"]

_OK_UNTIL = 400
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Examined:
    """One operation, requested."""

    operation: Operation
    row: EndpointRow
    findings: tuple[Finding, ...]

    @property
    def is_loadable(self) -> bool:
        """Whether it answers well and uses the database."""
        return self.row.status is not None and self.row.status < _OK_UNTIL

    @property
    def uses_database(self) -> bool:
        """Whether it ran SQL."""
        return self.row.statements > 0


def examine_endpoints(
    stage: Stage, app: ASGIApp, *, progress: Callable[[str], None]
) -> Iterator[Examined]:
    """Request the operations one after the other.

    Each is requested twice, and the second time counts: the first fills caches.

    Args:
        stage: The prepared database.
        app: The application.
        progress: Told the name of each operation before it is requested.
    """
    residents = Residents()
    sandbox = Sandbox(stage.url, residents)
    tracker = RequestTracker()
    running = RunningApp(tracker.wrap(app), residents, around_lifespan=sandbox.bypassed)
    source = SourceMap(stage.project.root, stage.project.configuration.app_packages)
    with asyncio.Runner() as runner, sandbox.installed():
        for operation in get_operations(app):
            progress(operation.name)
            if operation.path is None:
                yield _skipped(operation, f"no value for {', '.join(operation.unfilled)}")
                continue
            with stage.undone(sandbox), recording(source, requests=tracker) as recorder:
                answer = runner.run(_requested_twice(running, operation.path))
            yield _examined(operation, recorder.snapshot().complete(), answer)
        residents.close()


async def _requested_twice(app: ASGIApp, path: str) -> httpx.Response | Exception:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        try:
            await client.get(path)
            return await client.get(path)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the application raises is its answer
            return error


def _examined(
    operation: Operation, taken: Recording, answer: httpx.Response | Exception
) -> Examined:
    last = taken.requests[-1] if taken.requests else None
    own = taken.of_request(last.number) if last is not None else Recording()
    findings = tuple(findings_of(own))
    status = answer.status_code if isinstance(answer, httpx.Response) else None
    verdict, note = _verdict(operation, answer, findings)
    row = EndpointRow(
        endpoint=operation.name,
        site=str(last.endpoint) if last is not None and last.endpoint is not None else "",
        status=status,
        statements=sum(1 for _ in own.statements),
        round_trips=len(own.round_trips),
        database_seconds=sum(trip.seconds for trip in own.round_trips),
        seconds=last.seconds if last is not None else 0.0,
        verdict=verdict,
        note=note,
    )
    return Examined(operation, row, findings)


def _verdict(
    operation: Operation, answer: httpx.Response | Exception, findings: Sequence[Finding]
) -> tuple[Verdict, str]:
    if isinstance(answer, Exception):
        return Verdict.FAIL, f"raised {type(answer).__name__}: {answer}".splitlines()[0]
    if _OK_UNTIL <= answer.status_code < _SERVER_ERROR:
        made_up = f" for {', '.join(operation.guessed)}" if operation.guessed else ""
        return Verdict.SKIPPED, f"answered {answer.status_code}{made_up}"
    if any(finding.severity is Severity.ERROR for finding in findings):
        return Verdict.FAIL, "; ".join(f"{item.kind} {item.label}" for item in findings)
    if findings:
        return Verdict.WARN, "; ".join(f"{item.kind} {item.label}" for item in findings)
    return Verdict.PASS, ""


def _skipped(operation: Operation, why: str) -> Examined:
    row = EndpointRow(operation.name, "", None, 0, 0, 0.0, 0.0, Verdict.SKIPPED, why)
    return Examined(operation, row, ())
