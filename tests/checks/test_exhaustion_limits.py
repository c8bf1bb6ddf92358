"""Beyond the answers: what an exhausted pool did to others, and how well it was lived through."""

from dataclasses import replace

import pytest

from harness.capture.traffic import Distribution, ExhaustionStory, Outcome, RequestOutcome
from harness.checks.exhaustion import exhaustion
from harness.checks.exhaustion_limits import Backends, log_bytes_per_failure
from harness.checks.probe import finding_of
from harness.findings import Verdict


def _times(*, mean: float, last: float, count: int = 100) -> Distribution:
    return Distribution(count, mean, mean, last, last, last)


def _answers(*, ok: int, shed: int, seconds: float = 1.05) -> tuple[RequestOutcome, ...]:
    good = RequestOutcome(12.0, 0.9, Outcome.OK)
    return (*(good,) * ok, *(RequestOutcome(12.0, seconds, Outcome.SHED),) * shed)


HEALTHY = ExhaustionStory(
    users=20,
    pool_capacity=2,
    pool_timeout_seconds=1.0,
    blocked_from_seconds=10.0,
    blocked_until_seconds=20.0,
    outcomes=_answers(ok=88, shed=40),
    recovery_seconds=1.3,
    without_database=_times(mean=0.004, last=0.094),
    hold_seconds=0.2,
    served_wait=_times(mean=0.19, last=0.46),
    log_bytes=40 * 300,
    checked_out_at_rest=0,
    has_served_while_dry=True,
)
"""A pool of 2 that serves what it can (88 of 100 in 10 s) and sheds the rest in one line each."""


def test_an_application_that_does_all_of_it_well_passes() -> None:
    judged = exhaustion(HEALTHY)

    assert judged.verdict is Verdict.PASS
    assert judged.summary == "sheds: 88 ok, 40 shed; back 1.3 s after the load"


@pytest.mark.parametrize(
    ("story", "told"),
    [
        (
            replace(HEALTHY, outcomes=_answers(ok=88, shed=40, seconds=1.6)),
            "late: half of the failures took 1.6 s or more, the pool gives up after 1 s",
        ),
        (
            replace(HEALTHY, without_database=_times(mean=0.004, last=0.12)),
            "slow aside: p99 of a route without a database 120 ms, 100 ms at most",
        ),
        (
            replace(HEALTHY, outcomes=_answers(ok=79, shed=40)),
            "wasteful: 7.9 good answers a second, the pool could serve 10.0",
        ),
        (
            replace(HEALTHY, log_bytes=40 * 6650),
            "noisy: 6.7 kB of log per failure, 2 kB at most",
        ),
        (
            replace(HEALTHY, recovery_seconds=2.2),
            "slow to recover: 2.2 s, pool timeout and hold time are 1.2 s",
        ),
        (
            replace(HEALTHY, served_wait=_times(mean=0.1, last=0.6)),
            "unfair: one was served after 0.6 s, the mean wait was 0.1 s",
        ),
    ],
    ids=["late", "aside", "wasteful", "noisy", "slow", "unfair"],
)
def test_each_limit_warns_with_its_numbers(story: ExhaustionStory, told: str) -> None:
    judged = exhaustion(story)

    assert judged.verdict is Verdict.WARN
    assert judged.summary.endswith(f"after the load; {told}")


def test_routes_without_a_database_that_wait_for_the_pool_fail() -> None:
    judged = exhaustion(replace(HEALTHY, without_database=_times(mean=1.0, last=20.7)))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith("stalls: routes without a database waited too; 88 ok")


@pytest.mark.parametrize(
    ("timeout_seconds", "last", "verdict"),
    [
        (1.0, 0.49, Verdict.WARN),
        (1.0, 0.51, Verdict.FAIL),
        (0.1, 0.09, Verdict.PASS),
        (30.0, 14.9, Verdict.WARN),
        (30.0, 15.1, Verdict.FAIL),
    ],
)
def test_half_of_the_pools_time_limit_is_a_wait_for_the_pool(
    timeout_seconds: float, last: float, verdict: Verdict
) -> None:
    story = replace(
        HEALTHY,
        pool_timeout_seconds=timeout_seconds,
        recovery_seconds=0.1,
        outcomes=_answers(ok=88, shed=40, seconds=0.1),
        without_database=_times(mean=0.01, last=last),
    )

    assert exhaustion(story).verdict is verdict


@pytest.mark.parametrize(
    ("story", "verdict"),
    [
        (replace(HEALTHY, outcomes=_answers(ok=88, shed=40, seconds=1.45)), Verdict.PASS),
        (replace(HEALTHY, served_wait=_times(mean=0.1, last=0.49)), Verdict.PASS),
        (replace(HEALTHY, served_wait=_times(mean=0.1, last=0.51)), Verdict.WARN),
        (replace(HEALTHY, served_wait=_times(mean=0.1, last=0.9, count=10)), Verdict.WARN),
        (replace(HEALTHY, outcomes=_answers(ok=81, shed=40)), Verdict.PASS),
        (replace(HEALTHY, recovery_seconds=1.6), Verdict.PASS),
    ],
    ids=["half a second late", "4.9 times", "5.1 times", "ten waits", "81 percent", "back"],
)
def test_what_is_just_within_a_limit_passes(story: ExhaustionStory, verdict: Verdict) -> None:
    assert exhaustion(story).verdict is verdict


def test_connections_that_do_not_come_back_fail() -> None:
    judged = exhaustion(replace(HEALTHY, checked_out_at_rest=1))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith("leaks: 1 connection did not come back")


@pytest.mark.parametrize(
    ("changed", "fix"),
    [
        (replace(HEALTHY, checked_out_at_rest=1), "close every session"),
        (replace(HEALTHY, without_database=_times(mean=1.0, last=20.7)), "never wait for a sync"),
        (replace(HEALTHY, recovery_seconds=None), "answer sqlalchemy.exc.TimeoutError"),
        (
            replace(HEALTHY, outcomes=(RequestOutcome(12.0, 10.0, Outcome.HANG),) * 10),
            "set pool_timeout below the client's patience",
        ),
    ],
    ids=["leaks", "stalls", "collapses", "hangs"],
)
def test_each_class_has_a_fix_of_its_own(changed: ExhaustionStory, fix: str) -> None:
    finding = finding_of(exhaustion(changed))

    assert finding is not None
    assert finding.fix.startswith(fix)


def test_what_was_not_measured_is_not_judged() -> None:
    bare = ExhaustionStory(
        users=HEALTHY.users,
        pool_capacity=HEALTHY.pool_capacity,
        pool_timeout_seconds=HEALTHY.pool_timeout_seconds,
        blocked_from_seconds=HEALTHY.blocked_from_seconds,
        blocked_until_seconds=HEALTHY.blocked_until_seconds,
        outcomes=_answers(ok=1, shed=40),
        recovery_seconds=9.0,
    )

    assert exhaustion(bare).verdict is Verdict.PASS


def test_blocked_tables_serve_nobody_and_nobody_calls_it_waste() -> None:
    story = replace(HEALTHY, outcomes=_answers(ok=1, shed=40), has_served_while_dry=False)

    assert exhaustion(story).verdict is Verdict.PASS


def test_the_log_per_failure_is_that_of_all_failures_as_the_log_is_of_all_of_the_story() -> None:
    late = RequestOutcome(20.5, 1.0, Outcome.SHED)
    story = replace(HEALTHY, outcomes=(*HEALTHY.outcomes, *(late,) * 40), log_bytes=40 * 3000)

    assert log_bytes_per_failure(story) == 1500
    assert exhaustion(story).verdict is Verdict.PASS


def test_requests_that_hang_or_are_refused_are_no_failures_that_log() -> None:
    silent = tuple(RequestOutcome(12.0, 9.0, each) for each in (Outcome.HANG, Outcome.REFUSED))
    story = replace(HEALTHY, outcomes=silent)

    assert log_bytes_per_failure(story) is None
    assert log_bytes_per_failure(replace(story, log_bytes=None)) is None


def test_a_long_time_limit_may_be_missed_by_a_tenth() -> None:
    patient = replace(HEALTHY, pool_timeout_seconds=30.0)
    judged = [
        exhaustion(replace(patient, outcomes=_answers(ok=88, shed=40, seconds=seconds))).verdict
        for seconds in (32.9, 33.1)
    ]

    assert judged == [Verdict.PASS, Verdict.WARN]


def test_a_few_waits_do_not_show_unfairness() -> None:
    few = replace(HEALTHY, served_wait=_times(mean=0.1, last=0.9, count=9))

    assert exhaustion(few).verdict is Verdict.PASS


def test_a_single_pause_of_a_busy_machine_is_no_stall() -> None:
    pause = replace(_times(mean=0.004, last=0.9), p95_seconds=0.01)

    judged = exhaustion(replace(HEALTHY, without_database=pause))

    assert judged.verdict is Verdict.WARN
    assert "slow aside" in judged.summary


def test_a_pool_that_has_lost_its_connections_leaks_before_it_collapses() -> None:
    judged = exhaustion(replace(HEALTHY, checked_out_at_rest=2, recovery_seconds=None))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary == (
        "leaks: 2 connections did not come back; 88 ok, 40 shed; "
        "no five good answers in a row after the load"
    )


def test_processes_of_the_server_that_no_pool_keeps_warn() -> None:
    left = exhaustion(HEALTHY, backends=Backends(5, allowed=4))

    assert left.verdict is Verdict.WARN
    assert left.summary.endswith("left over: 5 processes of the server, the pools keep 4")
    assert exhaustion(HEALTHY, backends=Backends(4, allowed=4)).verdict is Verdict.PASS


def test_on_a_busy_machine_times_are_not_judged_and_answers_are() -> None:
    late = replace(HEALTHY, recovery_seconds=2.2)
    failed = replace(HEALTHY, outcomes=(*HEALTHY.outcomes, RequestOutcome(12.0, 1, Outcome.ERROR)))

    judged = exhaustion(late, noise="somebody compiles")

    assert judged.verdict is Verdict.PASS
    assert judged.summary.endswith("; times are not judged: somebody compiles")
    assert exhaustion(failed, noise="somebody compiles").verdict is Verdict.FAIL


def test_whoever_was_served_when_the_others_had_left_is_not_what_a_dry_pool_serves() -> None:
    late = (RequestOutcome(19.5, 0.9, Outcome.OK),) * 20

    judged = exhaustion(replace(HEALTHY, outcomes=(*_answers(ok=70, shed=40), *late)))

    assert "wasteful: 7.0 good answers a second" in judged.summary


def test_a_loop_that_stands_still_is_why_nothing_came_back() -> None:
    still = replace(HEALTHY, recovery_seconds=None, without_database=_times(mean=1.0, last=20.7))

    assert exhaustion(still).summary.startswith("stalls: ")


@pytest.mark.parametrize(("count", "verdict"), [(19, Verdict.WARN), (20, Verdict.FAIL)])
def test_a_single_pause_is_no_stall_where_few_were_asked(count: int, verdict: Verdict) -> None:
    judged = exhaustion(
        replace(HEALTHY, without_database=_times(mean=0.004, last=0.6, count=count))
    )

    assert judged.verdict is verdict


def test_a_few_that_all_waited_are_a_stall() -> None:
    judged = exhaustion(replace(HEALTHY, without_database=_times(mean=0.6, last=0.7, count=3)))

    assert judged.summary.startswith("stalls: ")
