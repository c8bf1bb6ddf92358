"""One request at one size of the data, in isolation that is rolled back, with what it ran."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from harness.asgi.client import AppClient
from harness.asgi.running import RunningApp
from harness.capture import Recording, RequestTracker, SourceMap, recording
from harness.checks.growth import GrowthSample
from harness.database.rollback import Sandbox
from harness.errors import HarnessError, IsolationError
from harness.scan.items import items_in

__all__ = ["Answer", "Caller"]

_OK_UNTIL = 400
_SERVER_ERROR = 500
_NOT_FOUND = 404
_UNAUTHORISED = {401, 403}
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    path: str
    sample: GrowthSample
    status: int | None
    """None where the application raised, or gave no answer in time."""
    problem: str
    """Why this is no measurement; empty if it is one."""

    @property
    def is_not_found(self) -> bool:
        """Whether another row might be what the path asks for."""
        return self.status == _NOT_FOUND


@dataclass(slots=True, eq=False)
class Caller:
    """Requests paths of the application."""

    app: RunningApp
    sandbox: Sandbox
    tracker: RequestTracker
    source: SourceMap
    runner: asyncio.Runner

    def call(self, path: str, *, n: int) -> Answer:
        """Request a path twice and count the second: the first fills caches.

        Args:
            path: With its query.
            n: Rows in every table, as a note.
        """
        try:
            found, taken = self._requested(path)
        except IsolationError as error:
            found, taken = error, Recording()
        last = taken.requests[-1] if taken.requests else None
        own = taken.of_request(last.number) if last is not None else Recording()
        if isinstance(found, Exception):
            return Answer(path, GrowthSample(n, own), None, _problem(found))
        items = items_in(found.content, found.headers.get("content-type", ""))
        problem = _problem_of_status(found.status_code)
        return Answer(path, GrowthSample(n, own, items), found.status_code, problem)

    def _requested(self, path: str) -> tuple[httpx.Response | Exception, Recording]:
        with (
            self.sandbox.one_test(),
            recording(self.source, requests=self.tracker) as recorder,
        ):
            found = self.runner.run(self._twice(path))
            return found, recorder.snapshot().complete()

    async def _twice(self, path: str) -> httpx.Response | Exception:
        async with AppClient(self.app) as client:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await client.get(path)
                    return await client.get(path)
            except HarnessError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the application raises is its answer
                return error


def _problem(found: Exception) -> str:
    if isinstance(found, TimeoutError):
        return f"no end of the answer in {_PATIENCE_SECONDS:g} s: a stream?"
    if isinstance(found, HarnessError):
        return found.what
    first = (str(found).strip().splitlines() or [""])[0]
    return f"raised {type(found).__name__}: {first}"


def _problem_of_status(status: int) -> str:
    if status < _OK_UNTIL:
        return ""
    if status in _UNAUTHORISED:
        remedy = ": put the dependency that identifies the user under 'overrides'"
    elif status == _NOT_FOUND:
        remedy = ": no row that it finds"
    elif status >= _SERVER_ERROR:
        remedy = ": it cannot answer with generated rows; write some in 'populate'"
    else:
        remedy = ""
    return f"answered {status}{remedy}"
