"""What one test's body has shown of the application's statements, on its call report.

The reports carry it, so that the workers of pytest-xdist need no channel of their own; JUnit's
properties of the test are made of the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import pytest

from harness.capture.recording import Recording
from harness.checks.statements import growing_statements
from harness.lock.observing import Observed, as_json, from_json, observed
from harness.pytest_plugin.detection import FOR_REQUESTS_ALONE, JUDGEMENT
from harness.pytest_plugin.lock_marker import entry_of
from harness.pytest_plugin.queries import Queries

__all__ = [
    "FIXTURE",
    "Missed",
    "Observation",
    "ObservationCarrier",
    "observation_of",
    "would_have_requested",
]

FIXTURE = "harness_queries"
"""Every test that is watched has it in its fixtures."""
Missed = Literal["certainly", "perhaps"]
"""Perhaps: it has a client of its own, or none."""
_REPORTED = "harness_observation"
_MISSED = "harness_missed"
_OURS = ("statements", "round trips", "queries ", "finding")


@dataclass(frozen=True, slots=True)
class Observation:
    """What one test has shown."""

    requests: int
    observed: Observed
    has_own_client: bool = False
    """Whether it made them without any fixture of ours."""


class ObservationCarrier:
    """Gives each test's observation to its report.

    Args:
        watches: Whether there is a lock or a report; else only requests are counted.
    """

    def __init__(self, *, watches: bool) -> None:
        self._watches = watches

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Count what the body ran; from a worker it travels with the report."""
        queries = getattr(item, "funcargs", {}).get(FIXTURE)
        recording = Recording()
        if call.when == "call" and isinstance(queries, Queries):
            recording = queries.recording
            if self._watches:
                _tell_junit(item, recording)
        report = yield
        if not isinstance(item, pytest.Function) or entry_of(item) == "off":
            return report
        if report.skipped and FIXTURE in item.fixturenames:
            is_known = not item.stash.get(FOR_REQUESTS_ALONE, False)
            setattr(report, _MISSED, "certainly" if is_known else "perhaps")
        # Tests that failed stopped somewhere: their counts mean nothing.
        if call.when == "call" and report.passed and isinstance(queries, Queries):
            setattr(report, _REPORTED, self._carried(item, recording))
        return report

    def _carried(self, item: pytest.Item, recording: Recording) -> str:
        seen = Observed()
        if self._watches:
            seen = observed(
                recording,
                test=item.nodeid,
                growing=growing_statements(recording),
                own_entry=entry_of(item) == "own",
            )
        is_own = bool(recording.requests) and item.stash.get(FOR_REQUESTS_ALONE, False)
        return json.dumps([len(recording.requests), as_json(seen), is_own])


def observation_of(report: pytest.TestReport) -> Observation | None:
    """What the test has shown; None in reports of other phases, and of tests that did not pass."""
    carried = getattr(report, _REPORTED, None)
    if carried is None or not report.passed:
        return None
    requests, seen, is_own = json.loads(carried)
    return Observation(requests, from_json(seen), is_own)


def would_have_requested(report: pytest.TestReport) -> Missed | None:
    """Whether a test that was skipped, or failed as expected, would have made requests."""
    missed: Missed | None = getattr(report, _MISSED, None)
    return missed


def _tell_junit(item: pytest.Item, recording: Recording) -> None:
    """Properties of the test case; those of an earlier attempt go.

    Only the schema of the family xunit1 has properties of a test case; pytest writes them in both.
    Who validates by the other one, and has no lock, must not fail by our being installed.
    """
    others = [pair for pair in item.user_properties if not pair[0].startswith(_OURS)]
    names = {request.number: request.name for request in recording.requests}
    most: dict[str, int] = {}
    for tally in recording.tallies:
        name = names.get(tally.request or 0)
        if name is not None:
            most[name] = max(most.get(name, 0), tally.statements)
    judgement = item.stash.get(JUDGEMENT, None)
    found = () if judgement is None else (finding.identity for finding in judgement.open)
    item.user_properties[:] = [
        *others,
        ("statements", str(recording.statement_count)),
        ("round trips", str(recording.round_trip_count)),
        *((f"queries {name}", str(number)) for name, number in sorted(most.items())),
        *(("finding", identity) for identity in sorted(found)),
    ]
