"""Verdicts on a run, from hand-made results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ExitCode
from harness.findings import Verdict
from harness.load.judgement import exit_code, interrupted_line, judged_load
from harness.load.result import LoadResult
from harness.load.statuses import combined
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
        (replace(HEALTHY, losses=("gone",)), ExitCode.ENVIRONMENT),
        (replace(_result(failed=1), losses=("gone",)), ExitCode.FINDINGS),
        (_result(good=0), ExitCode.ENVIRONMENT),
    ],
)
def test_the_worst_verdict_is_the_exit_code(result: LoadResult, code: ExitCode) -> None:
    assert exit_code(judged_load(result, None)) is code


def test_an_interrupted_run_is_told_as_far_as_it_came() -> None:
    line = interrupted_line(_result(failed=3))

    assert line == "harness: load   interrupted  103 requests by 1 users in 1 s, 3 failed"


def test_processes_are_counted_together_and_their_pools_apart() -> None:
    statuses = [
        {"pid": pid, "routes": {"GET /": {"requests": pid, "statements": 2 * pid}}, "pools": [pool]}
        for pid, pool in ((1, {"name": "pool 1"}), (2, {"name": "pool 1"}))
    ]

    both = combined(statuses)

    assert both["routes"] == {"GET /": {"requests": 3, "statements": 6}}
    assert [pool["name"] for pool in both["pools"]] == [
        "pool 1 of process 1",
        "pool 1 of process 2",
    ]
