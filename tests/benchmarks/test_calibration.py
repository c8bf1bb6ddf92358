"""When a calibration counts as right: by the cause, by the size, by a fault that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.calibration import CASES, Case, Trial, report
from harness.campaign.outcome import Outcome
from harness.checks.load.classification import Classification
from harness.checks.load.classification import Outcome as Told
from harness.checks.load.pool_sizing import Recommendation
from harness.checks.load.sizing_curve import curve_of
from harness.findings import ProbeVerdict, Verdict
from tests.checks.load.capacities import in_rounds
from tests.checks.load.recorded import LOCKED

LOCKS = Case("4 locks", "/capacity/locks?keys=4", "database-bound", knee=4)
TWIN = Case("twin", "/twins/leak/never-closed", "")


def trial(
    case: Case, *, cause: str = "", size: int | None = None, verdict: Verdict = Verdict.PASS
) -> Trial:
    told = Classification(Told.EXPLAINED, cause, "", ())
    size_of = Recommendation(Verdict.PASS, "", pool_size=size) if size is not None else None
    probe = ProbeVerdict("limit", verdict, "")
    outcome = Outcome((probe,), classification=told, recommendation=size_of)
    return Trial(case, outcome, 1, 1.0)


@pytest.mark.parametrize(("size", "is_right"), [(1, False), (2, True), (8, True), (9, False)])
def test_a_size_is_right_within_one_step_of_the_knee(size: int, *, is_right: bool) -> None:
    assert trial(LOCKS, cause="database-bound", size=size).is_right is is_right


def test_the_right_size_for_another_cause_is_wrong() -> None:
    assert not trial(LOCKS, cause="saturated-loop", size=4).is_right
    assert not trial(LOCKS, cause="database-bound").is_right


def test_a_twin_may_reach_a_limit_but_not_fail() -> None:
    assert trial(TWIN, cause="saturated-loop").is_right
    assert not trial(TWIN, cause="leak", verdict=Verdict.FAIL).is_right


def test_an_answer_that_nobody_can_give_is_not_conclusive() -> None:
    assert trial(TWIN).is_conclusive
    assert not trial(TWIN, verdict=Verdict.INCONCLUSIVE).is_conclusive


def test_a_sweep_is_asked_for_where_there_is_a_knee_and_for_two_four_and_eight() -> None:
    assert {case.knee for case in CASES if not case.settings.is_short} == {2, 4, 8}


def test_the_table_fits_and_says_what_was_wrong() -> None:
    lines = "\n".join(report([trial(LOCKS, cause="saturated-loop", size=4), trial(TWIN)]))

    rows = [line for line in lines.splitlines() if line.strip()]
    assert max(map(len, rows)) <= 80
    assert rows[1].split()[-1] == "NO"
    assert rows[2].split()[-1] == "yes"


def test_a_curve_is_told_below_the_table() -> None:
    told = trial(LOCKS, cause="database-bound", size=4)
    curve = curve_of(in_rounds(LOCKED)).points
    sized = Recommendation(Verdict.PASS, "", pool_size=4, curve=curve)

    lines = list(report([replace(told, outcome=replace(told.outcome, recommendation=sized))]))

    assert "requests a second by pool size: 1: 24" in " ".join(lines[-1].split())
