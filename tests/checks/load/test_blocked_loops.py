"""What stalls in several processes prove: each stands for its own loop."""

from dataclasses import replace

from harness.capture.windows import LoadWindow, LoopWindow, Stall, StallCause
from harness.checks.load.blocked_loop import blocked_loop
from harness.findings import Verdict
from tests.capture.readings import stall, status, window
from tests.checks.load.building import LINE, ROUTE, times
from tests.checks.load.recorded import CALM

SUSPENDED = Stall(StallCause.OTHER, 1, 3.0, 3.0, "", None, 0.01)
WAITING = Stall(StallCause.SYNC_SQL, 9, 2.0, 0.3, ROUTE, LINE, 0.2)


def stalling(*stalls: Stall, lag: float = 0.2) -> LoadWindow:
    return replace(CALM, loop=LoopWindow(times(0.005, p99=lag), stalls))


def test_a_process_that_was_suspended_hides_no_other_that_waits_for_the_database() -> None:
    suspended = {**stall(count=1, seconds=3.0, longest_seconds=3.0), "site": None}
    waiting = stall("sync-sql", count=9, seconds=2.0, longest_seconds=0.3)
    after = {
        1: status(loop={"lag": status()["loop"]["lag"], "stalls": [suspended]}),
        2: status(loop={"lag": status()["loop"]["lag"], "stalls": [waiting]}),
    }

    judged = blocked_loop(window({pid: status() for pid in after}, after))

    assert judged.verdict.verdict is Verdict.FAIL
    assert [finding.label for finding in judged.findings] == [StallCause.SYNC_SQL]
    assert "served nobody for 2.0 s" in judged.findings[0].title


def test_short_statements_are_not_proven_by_the_lag_of_another_process() -> None:
    short = replace(WAITING, longest_seconds=0.06)

    told = [
        blocked_loop(stalling(SUSPENDED, replace(short, lag_p99_seconds=lag))).verdict.verdict
        for lag in (0.04, 0.06)
    ]

    assert told == [Verdict.PASS, Verdict.FAIL]


def test_a_place_in_several_processes_is_told_once_by_the_one_that_stood_there_longest() -> None:
    longer = replace(WAITING, count=12, seconds=2.4, lag_p99_seconds=0.3)

    (finding,) = blocked_loop(stalling(WAITING, longer, WAITING)).findings

    assert "served nobody for 2.4 s" in finding.title
    assert ("lag p99", "300 ms") in finding.evidence
