"""A loop that waits is told from one that works, and from one that nothing is known of."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, LoopWindow, MachineWindow, Stall, StallCause
from harness.checks.load.blocked_loop import blocked_loop
from harness.checks.load.saturated_loop import saturated_loop
from harness.findings import Severity, Verdict
from tests.checks.load.building import LINE, ROUTE, times
from tests.checks.load.recorded import CALM, FREE, FROZEN, INDEXED, SLEEPING

_STALL = Stall(StallCause.SYNC_SQL, 4, 0.6, 0.15, ROUTE, LINE)


def _stalling(*stalls: Stall, lag: float = 0.01) -> LoopWindow:
    return LoopWindow(lag=times(0.005, p99=lag), stalls=stalls)


def test_a_wait_for_a_sync_pool_blocks_the_loop() -> None:
    judged = blocked_loop(FROZEN)

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.is_explanation
    (finding,) = judged.findings
    assert finding.identity == f"blocked-loop pool-wait @ {ROUTE}"
    assert finding.site == LINE
    assert "served nobody for 20.7 s of 21 s" in finding.title
    assert ("share of the time", "100 %") in finding.evidence


def test_a_sync_statement_blocks_the_loop_on_a_busy_machine_too() -> None:
    noisy = replace(CALM, loop=_stalling(_STALL), machine=MachineWindow(2, 1.0, 2.0))

    judged = blocked_loop(noisy)

    assert judged.verdict.verdict is Verdict.FAIL
    assert ("share of the time", "12 %") in judged.findings[0].evidence


def test_many_short_sync_statements_are_told_by_the_lag_they_add_up_to() -> None:
    short = replace(_STALL, longest_seconds=0.06)
    judged = [
        blocked_loop(replace(CALM, loop=_stalling(short, lag=lag))).verdict.verdict
        for lag in (0.04, 0.06)
    ]

    assert judged == [Verdict.PASS, Verdict.FAIL]


def test_a_loop_without_stalls_is_fine() -> None:
    assert blocked_loop(CALM).verdict.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("stall", "verdict"),
    [
        (Stall(StallCause.OTHER, 10, 2.0, 0.2, ROUTE, LINE), Verdict.FAIL),
        (Stall(StallCause.OTHER, 10, 2.0, 0.2, "", None), Verdict.PASS),
        (Stall(StallCause.OTHER, 1, 0.2, 0.2, ROUTE, LINE), Verdict.PASS),
    ],
    ids=["a line that sleeps", "nobody's line", "once"],
)
def test_code_that_is_no_database_call_must_be_seen_to_block(
    stall: Stall, verdict: Verdict
) -> None:
    assert blocked_loop(replace(CALM, loop=_stalling(stall))).verdict.verdict is verdict


@pytest.mark.parametrize(("share", "is_found"), [(0.09, False), (0.11, True)])
def test_code_that_blocks_must_do_so_for_a_tenth_of_the_time(
    *, share: float, is_found: bool
) -> None:
    stall = Stall(StallCause.OTHER, 10, share * CALM.seconds, 0.2, ROUTE, LINE)

    judged = blocked_loop(replace(CALM, loop=_stalling(stall)))

    assert bool(judged.findings) is is_found


def test_code_that_computes_saturates_the_loop_and_does_not_block_it() -> None:
    computing = Stall(StallCause.OTHER, 10, 2.0, 0.2, ROUTE, LINE)
    window = replace(INDEXED[8], loop=_stalling(computing))

    assert blocked_loop(window).verdict.verdict is Verdict.PASS
    (finding,) = saturated_loop(window).findings
    assert finding.site == LINE


@pytest.mark.parametrize(
    "stall",
    [
        Stall(StallCause.OTHER, 10, 2.0, 0.2, "", None),
        Stall(StallCause.SYNC_SQL, 1, 0.06, 0.06, ROUTE, LINE),
    ],
    ids=["nobody's line", "a statement"],
)
def test_only_a_line_that_computes_is_shown_as_the_busiest(stall: Stall) -> None:
    (finding,) = saturated_loop(replace(INDEXED[8], loop=_stalling(stall))).findings

    assert finding.site is None


@pytest.mark.parametrize("pool", INDEXED)
def test_a_loop_is_saturated_whatever_the_pool(pool: int) -> None:
    judged = saturated_loop(INDEXED[pool])

    assert judged.verdict.verdict is Verdict.WARN
    assert judged.is_explanation


def test_what_one_process_can_serve_is_told() -> None:
    (finding,) = saturated_loop(INDEXED[1]).findings

    assert finding.severity is Severity.NOTE
    assert ("most requests a second", "1027") in finding.evidence
    assert "1 process can serve about 1027 requests a second" in finding.title


def _processes(number: int, *, cores: int) -> LoadWindow:
    """All of them saturated."""
    spent = INDEXED[1].cpu_seconds * number
    machine = MachineWindow(cores, 0.3, 0.1)
    return replace(INDEXED[1], processes=number, cpu_seconds=spent, machine=machine)


@pytest.mark.parametrize(
    ("window", "most", "fix"),
    [
        (_processes(2, cores=8), "1027", "run more processes"),
        (_processes(2, cores=2), "1027", "give it more than 2 cores"),
        (_processes(4, cores=2), "514", "give it more than 2 cores"),
        (replace(_processes(4, cores=2), server=None), "1027", "run more processes"),
    ],
    ids=["spare cores", "a process for each core", "too many", "perhaps on another machine"],
)
def test_processes_beyond_the_cores_are_not_promised_to_serve_more(
    window: LoadWindow, most: str, fix: str
) -> None:
    (finding,) = saturated_loop(window).findings

    assert ("most requests a second", most) in finding.evidence
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize("window", [FREE[48], SLEEPING[8], CALM], ids=["0.58", "0.84", "0.15"])
def test_a_loop_that_has_time_left_is_not_saturated(window: object) -> None:
    assert saturated_loop(window).verdict.verdict is Verdict.PASS  # type: ignore[arg-type]  # parametrised


def test_a_saturated_generator_says_nothing_of_the_application() -> None:
    window = replace(INDEXED[8], machine=MachineWindow(2, 0.95, 0.1))

    assert saturated_loop(window).verdict.verdict is Verdict.INCONCLUSIVE
