"""Verdicts on a run, from hand-made results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ExitCode
from harness.findings import ProbeVerdict, Verdict
from harness.load.judgement import exit_code, interrupted_line, judged_load, line_of
from harness.load.result import LoadResult
from harness.load.tally import Answer, Tally


def _result(good: int = 100, failed: int = 0, dropped: int = 0) -> LoadResult:
    tally = Tally(dropped=dropped)
    for number in range(good + failed):
        answer = Answer.OK if number < good else Answer.ERROR
        tally.add("GET /", answer, seconds=0.1, ended_seconds=0.5)
    return LoadResult(started_seconds=0.0, seconds=1.0, users=1, tally=tally)


HEALTHY = _result()
OPEN = replace(HEALTHY, target_rate=100.0)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (HEALTHY, {"load": Verdict.PASS, "pool": Verdict.SKIPPED}),
        (OPEN, {"load": Verdict.PASS, "rate": Verdict.PASS, "pool": Verdict.SKIPPED}),
        (
            replace(HEALTHY, losses=("a worker went away",)),
            {"counts": Verdict.INCONCLUSIVE, "pool": Verdict.SKIPPED},
        ),
        (
            replace(_result(good=98, dropped=2), target_rate=100.0),
            {"rate": Verdict.INCONCLUSIVE, "pool": Verdict.SKIPPED},
        ),
        (
            replace(_result(good=99, dropped=1), target_rate=100.0),
            {"load": Verdict.PASS, "rate": Verdict.PASS, "pool": Verdict.SKIPPED},
        ),
        (
            replace(_result(failed=1), losses=("a worker went away",)),
            {"load": Verdict.FAIL, "counts": Verdict.INCONCLUSIVE, "pool": Verdict.SKIPPED},
        ),
        (
            replace(OPEN, losses=("1 of 2 workers had no users",)),
            {"counts": Verdict.INCONCLUSIVE, "pool": Verdict.SKIPPED},
        ),
        (
            replace(HEALTHY, unstarted_users=7),
            {"load": Verdict.PASS, "users": Verdict.WARN, "pool": Verdict.SKIPPED},
        ),
        (
            replace(HEALTHY, generator_cpu=0.9),
            {"load": Verdict.PASS, "cpu": Verdict.WARN, "pool": Verdict.SKIPPED},
        ),
    ],
)
def test_what_is_said_of_a_run(result: LoadResult, told: dict[str, Verdict]) -> None:
    verdicts = judged_load(result, None)

    assert {verdict.probe: verdict.verdict for verdict in verdicts} == told


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (HEALTHY, ExitCode.CLEAN),
        (replace(HEALTHY, generator_cpu=0.9), ExitCode.CLEAN),
        (replace(HEALTHY, unstarted_users=7), ExitCode.CLEAN),
        (replace(HEALTHY, losses=("gone",)), ExitCode.ENVIRONMENT),
        (replace(_result(failed=1), losses=("gone",)), ExitCode.FINDINGS),
        (_result(good=0), ExitCode.ENVIRONMENT),
    ],
)
def test_the_worst_verdict_is_the_exit_code(result: LoadResult, code: ExitCode) -> None:
    assert exit_code(judged_load(result, None)) is code


def test_an_interrupted_run_is_told_as_far_as_it_came() -> None:
    line = interrupted_line(_result(failed=3))

    told = "103 requests by 1 user in 1 s, 3 failed: GET /: error × 3"  # noqa: RUF001 - times
    assert " ".join(line.replace("\nharness:  ", "").split()) == f"harness: load interrupted {told}"


def test_no_line_of_a_verdict_is_wider_than_a_terminal() -> None:
    lines = line_of(ProbeVerdict("rate", Verdict.INCONCLUSIVE, "so many words " * 20)).splitlines()

    assert len(lines) > 1
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("harness: ") for line in lines)
