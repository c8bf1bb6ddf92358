"""What the tests of a run have shown so far, put together from their reports.

The last attempt of a test stands for it, and a test that failed in any phase for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from harness.findings import Allowance, Finding, Judgement
from harness.lock.observing import Observed, combined
from harness.pytest_plugin.detection import judgement_of
from harness.pytest_plugin.observation import (
    Missed,
    Observation,
    observation_of,
    would_have_requested,
)
from harness.report.quantities import counted

__all__ = ["RunSoFar", "Seen"]

_Key = tuple[str, str]
"""A test and the worker that ran it: with ``--dist each`` all workers run all tests."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a whole run has shown."""

    observed: Observed
    judgement: Judgement
    """Findings of all tests by identity, each as the first test by id has it."""
    tests: int
    """Tests that made requests."""
    requests: int
    gaps: tuple[str, ...]
    """Why the run was not a complete one."""


class RunSoFar:
    """Collects reports."""

    def __init__(self) -> None:
        self._observed: dict[_Key, Observation] = {}
        self._judged: dict[_Key, Judgement] = {}
        self._failed: set[str] = set()
        self._errors: set[str] = set()
        self._missed: dict[str, Missed] = {}
        self.is_empty = True
        """Whether no test has run."""

    def add(self, report: pytest.TestReport) -> None:
        """Take what a report says."""
        key = (report.nodeid, getattr(report, "worker_id", ""))
        self.is_empty = False
        if report.failed:
            (self._errors if report.when in {"setup", "teardown"} else self._failed).add(key[0])
        if not report.passed:  # another attempt, or a teardown that failed, takes back the rest
            self._observed.pop(key, None)
            self._judged.pop(key, None)
        missed = would_have_requested(report)
        if missed is not None:
            self._missed[key[0]] = missed
        observation = observation_of(report)
        if observation is not None:
            self._observed[key] = observation
            self._judged[key] = judgement_of(report)

    def seen(self, gaps: Iterable[str], *, allow: Iterable[Allowance]) -> Seen:
        """All of it together.

        Args:
            gaps: Why the run was not a complete one, as far as reports do not tell.
            allow: What the configuration accepts.
        """
        told = (*self._gaps(), *gaps)
        judgement = _together([self._judged[key] for key in sorted(self._judged)])
        matched = {allowance.identity for _, allowance in judgement.accepted}
        unmatched = () if told else tuple(it for it in allow if it.identity not in matched)
        return Seen(
            observed=combined(*(each.observed for each in self._observed.values())),
            judgement=Judgement(judgement.open, judgement.accepted, unmatched),
            tests=sum(each.requests > 0 for each in self._observed.values()),
            requests=sum(each.requests for each in self._observed.values()),
            gaps=told,
        )

    def _gaps(self) -> Iterator[str]:
        if self._failed:
            yield f"{counted(len(self._failed), 'test')} failed"
        if self._errors:
            yield f"{counted(len(self._errors), 'test')} had an error around it"
        missed = {test for test, how in self._missed.items() if self._is_a_gap(test, how)}
        if missed:
            what = (
                "test that calls the application was"
                if len(missed) == 1
                else ("tests that call the application were")
            )
            yield f"{len(missed)} {what} skipped or failed as expected"

    def _is_a_gap(self, test: str, how: Missed) -> bool:
        """Whether a test that did not run would have shown something.

        One that has no client of ours counts where others of its module have one of their own.
        """
        ran = [each for (name, _), each in self._observed.items() if name == test]
        module = test.partition("::")[0]
        return not ran and (
            how == "certainly"
            or any(
                each.has_own_client and name.partition("::")[0] == module
                for (name, _), each in self._observed.items()
            )
        )


def _together(judgements: Iterable[Judgement]) -> Judgement:
    still_open: dict[str, Finding] = {}
    accepted: dict[str, tuple[Finding, Allowance]] = {}
    for judgement in judgements:
        for finding in judgement.open:
            still_open.setdefault(finding.identity, finding)
        for finding, allowance in judgement.accepted:
            accepted.setdefault(finding.identity, (finding, allowance))
    return Judgement(
        open=tuple(still_open[identity] for identity in sorted(still_open)),
        accepted=tuple(
            accepted[identity] for identity in sorted(accepted) if identity not in still_open
        ),
        unmatched=(),
    )
