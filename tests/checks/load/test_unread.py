"""A process that was not read: nothing passes in its name, and what the others show stays shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, LoopWindow, Reading, UnreadProcess
from harness.checks.load.blocked_loop import blocked_loop
from harness.checks.load.classification import Outcome, classified
from harness.checks.load.database_bound import database_bound
from harness.checks.load.figures import cpu_per_request
from harness.checks.load.held_idle import held_idle
from harness.checks.load.judged import Judged
from harness.checks.load.leak import leak
from harness.checks.load.nesting import nesting, why_not_refuted
from harness.checks.load.over_provisioned import over_provisioned
from harness.checks.load.overflow_churn import overflow_churn
from harness.checks.load.oversized_pool import oversized_pool
from harness.checks.load.pool_sizing import recommendation
from harness.checks.load.saturated_loop import saturated_loop
from harness.checks.load.shared_session import shared_session
from harness.checks.load.starved_threads import starved_threads
from harness.checks.load.statement_growth import RouteSamples, StatementSample, statement_growth
from harness.checks.load.validity import unread
from harness.findings import Verdict
from tests.checks.load.building import with_client, with_pool, with_route
from tests.checks.load.recorded import CALM, FREE, FROZEN, HELD, LEAKED, LOCKED, nested

HUNG = UnreadProcess(4711, Reading.END, "it timed out after 5 s")
AT_REST = replace(HUNG, reading=Reading.REST)
WHY = "process 4711 was not read at the end of the load: it timed out after 5 s"
THREADED = replace(CALM, thread_limit=40)
UNBOUNDED = with_route(with_pool(CALM, max_overflow=-1), held_at_once=2)
CROWD = with_client(CALM, users=40)

PASSED: dict[str, tuple[Callable[[LoadWindow], Judged], LoadWindow]] = {
    "leak": (leak, CALM),
    "blocked loop": (blocked_loop, CALM),
    "nesting": (nesting, CALM),
    "shared session": (shared_session, CROWD),
    "overflow churn": (overflow_churn, CALM),
    "oversized pool": (oversized_pool, CALM),
    "starved threads": (starved_threads, THREADED),
    "held idle": (held_idle, CALM),
    "nesting without a bound": (nesting, UNBOUNDED),
    "database hardly used": (database_bound, HELD),
    "database hardly waited for": (database_bound, CALM),
    "saturated loop": (saturated_loop, CALM),
}
"""Each check with a window that it passes."""


def hung(window: LoadWindow, *more: UnreadProcess) -> LoadWindow:
    return replace(window, processes=2, unread=(HUNG, *more))


@pytest.mark.parametrize("name", PASSED)
def test_what_passes_where_all_were_read_is_inconclusive_with_the_process_and_the_reason(
    name: str,
) -> None:
    check, window = PASSED[name]

    read, half_read = check(window).verdict, check(hung(window)).verdict

    assert read.verdict is Verdict.PASS
    assert (half_read.verdict, half_read.summary) == (Verdict.INCONCLUSIVE, WHY)


@pytest.mark.parametrize(
    ("check", "window"),
    [
        (leak, replace(CALM, pools=())),
        (leak, with_pool(CALM, checkouts=0)),
        (nesting, replace(CALM, routes=())),
        (shared_session, with_route(CROWD, statements=0)),
        (overflow_churn, replace(CALM, pools=())),
        (starved_threads, CALM),
    ],
    ids=["pools", "checkouts", "routes", "statements", "a pool to keep them", "threads"],
)
def test_what_the_others_lack_it_may_have(
    check: Callable[[LoadWindow], Judged], window: LoadWindow
) -> None:
    assert check(window).verdict.summary != WHY

    told = check(hung(window)).verdict

    assert (told.verdict, told.summary) == (Verdict.INCONCLUSIVE, WHY)


@pytest.mark.parametrize(
    ("check", "window"),
    [
        (leak, LEAKED),
        (leak, with_pool(CALM, reclaimed=3)),
        (blocked_loop, FROZEN),
        (nesting, nested(pool=10, at_once=10)),
        (shared_session, with_route(CALM, shared_sessions=2)),
        (held_idle, HELD),
        (database_bound, LOCKED[16]),
        (starved_threads, replace(THREADED, peak_threads_waiting=3)),
    ],
    ids=["leak", "reclaimed", "loop", "nesting", "session", "held", "locks", "threads"],
)
def test_what_was_found_in_the_others_stays_found(
    check: Callable[[LoadWindow], Judged], window: LoadWindow
) -> None:
    judged = check(window)

    assert judged.findings
    assert check(hung(window)) == judged


def test_only_who_asks_what_is_out_at_rest_needs_that_reading() -> None:
    window = replace(CROWD, unread=(AT_REST,))

    told = leak(window).verdict

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.summary.startswith("process 4711 was not read when all clients had left")
    assert shared_session(window).verdict.verdict is Verdict.PASS
    assert (unread(window), unread(CALM, at_rest=True)) == ("", "")


def test_several_are_counted_and_one_without_a_number_is_a_process() -> None:
    window = replace(CALM, unread=(replace(HUNG, pid=None), replace(HUNG, pid=12)))

    assert unread(window) == (
        "a process was not read at the end of the load: it timed out after 5 s; nor 1 other"
    )


def test_a_rate_that_not_all_processes_may_have_served_is_no_verdict_on_throughput() -> None:
    idle = with_pool(CROWD, peak_checked_out=1)
    assert over_provisioned(idle).findings

    told = over_provisioned(hung(idle)).verdict

    assert (told.verdict, told.summary) == (Verdict.INCONCLUSIVE, WHY)


@pytest.mark.parametrize("unread_process", [HUNG, AT_REST], ids=["at the end", "at rest"])
def test_nobody_says_that_nothing_is_slow(unread_process: UnreadProcess) -> None:
    told = classified([replace(CALM, unread=(unread_process,))])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert "process 4711 was not read" in told.reason


def test_a_cause_that_was_seen_is_the_cause() -> None:
    assert classified([hung(LEAKED)]).cause == "leak"


def test_where_none_was_read_it_is_the_reason_and_not_that_there_is_no_probe() -> None:
    blind = replace(hung(CALM), pools=(), routes=(), loop=LoopWindow())

    told = classified([blind])

    assert (told.outcome, told.reason) == (Outcome.INCONCLUSIVE, WHY)


@pytest.mark.parametrize("lost", [(), (HUNG,)], ids=["read late", "half of them not read"])
def test_cpu_of_the_processes_that_were_read_is_for_the_requests_that_they_saw(
    lost: tuple[UnreadProcess, ...],
) -> None:
    half = with_route(CALM, requests=CALM.client.requests // 2)

    told = cpu_per_request(replace(half, unread=lost))

    assert told == pytest.approx(2 * cpu_per_request(CALM))


def test_no_size_is_recommended_by_a_base_line_that_lacks_a_process() -> None:
    told = recommendation([*FREE.values()], hung(CALM))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert WHY in told.summary


def test_a_drill_of_which_a_process_was_not_read_refutes_nothing() -> None:
    drill = nested(pool=4, at_once=4)

    assert (why_not_refuted(drill), why_not_refuted(hung(drill))) == ("", WHY)


def test_statements_that_do_not_grow_are_no_pass_where_some_were_not_counted() -> None:
    def judged(*statements: int, gap: str) -> Judged:
        samples = [
            StatementSample(0, 1, count, float(at)) for at, count in enumerate(statements, 1)
        ]
        route = RouteSamples("GET /orders", tuple(samples))
        return statement_growth([route], counted_by="events", gap=gap)

    assert judged(2, 2, 2, gap="").verdict.verdict is Verdict.PASS
    assert judged(2, 2, 2, gap=WHY).verdict.verdict is Verdict.INCONCLUSIVE
    assert judged(2, 4, 6, gap=WHY).verdict.verdict is Verdict.FAIL
