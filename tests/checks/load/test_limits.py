"""The database, the pool and the size of the pool: what was the limit, by more than one size."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.capture.windows import LoadWindow, MachineWindow
from harness.checks.load.database_bound import database_bound
from harness.checks.load.elasticity import elasticity, unusable
from harness.checks.load.figures import milliseconds
from harness.checks.load.judged import Judged
from harness.checks.load.over_provisioned import over_provisioned
from harness.checks.load.pool_too_small import pool_too_small
from harness.findings import Severity, Verdict
from tests.checks.load.building import load, times, with_client, with_pool, with_server
from tests.checks.load.recorded import CALM, EXHAUSTED, FREE, HELD, INDEXED, LOCKED, SLEEPING


def _without_lock_waits(sweep: Mapping[int, LoadWindow]) -> dict[int, LoadWindow]:
    return {size: with_server(window, lock_waiting=0.0) for size, window in sweep.items()}


BUSY = _without_lock_waits(LOCKED)
"""The same rates where a server is busy with its own work: nobody waits for a lock."""


def test_a_database_is_the_limit_where_more_connections_bring_nothing() -> None:
    judged = database_bound(BUSY[16], [BUSY[48]])

    assert judged.verdict.verdict is Verdict.WARN
    assert judged.is_explanation
    (finding,) = judged.findings
    assert (finding.label, finding.severity) == ("throughput", Severity.NOTE)
    assert finding.evidence == (
        ("duty", "100 %"),
        ("wait p95", "465 ms"),
        ("hold", "102 ms"),
        ("elasticity", "0.09 from 16 to 48 connections"),
    )


def test_connections_that_wait_for_locks_need_no_second_size() -> None:
    judged = database_bound(LOCKED[16])

    assert judged.is_explanation
    (finding,) = judged.findings
    assert finding.label == "locks"
    assert finding.title.startswith("59 % of the executing connections waited for a lock")


@pytest.mark.parametrize(("share", "label"), [(0.49, "throughput"), (0.51, "locks")])
def test_locks_are_the_reason_where_half_of_the_connections_wait_for_one(
    share: float, label: str
) -> None:
    window = with_server(BUSY[16], lock_waiting=share * 16)

    (finding,) = database_bound(window, [BUSY[48]]).findings

    assert finding.label == label


@pytest.mark.parametrize(("active", "is_found"), [(11.0, False), (11.3, True)])
def test_connections_must_work_for_the_database_to_be_the_limit(
    *, active: float, is_found: bool
) -> None:
    window = with_server(BUSY[16], active=active, idle_in_transaction=16 - active)

    assert bool(database_bound(window, [BUSY[48]]).findings) is is_found


@pytest.mark.parametrize(
    ("window", "others"),
    [
        (with_pool(BUSY[16], waiting_share=0.1), [BUSY[48]]),
        (with_pool(BUSY[16], wait=times(0.1)), [BUSY[48]]),
        (FREE[4], [FREE[16]]),
        (BUSY[2], [BUSY[4]]),
        (HELD, []),
        (CALM, []),
        (SLEEPING[8], [SLEEPING[16]]),
    ],
    ids=["seldom", "shortly", "free", "below the knee", "held", "calm", "loop"],
)
def test_a_database_that_is_not_the_limit_is_left_alone(
    window: LoadWindow, others: list[LoadWindow]
) -> None:
    assert database_bound(window, others).verdict.verdict is Verdict.PASS


@pytest.mark.parametrize(
    "window",
    [
        replace(INDEXED[8], server=None),
        replace(CALM, server=None, pools=()),
        with_server(CALM, active=0.0, idle_in_transaction=0.0),
    ],
    ids=["a saturated application", "no pool", "nothing in use"],
)
def test_where_nobody_knows_for_how_many_connections_sql_ran_the_database_is_not_blamed(
    window: LoadWindow,
) -> None:
    assert database_bound(window).verdict.verdict is Verdict.INCONCLUSIVE


def test_a_pool_is_too_small_where_more_connections_serve_more() -> None:
    judged = pool_too_small(FREE[4], [FREE[16]])

    assert judged.verdict.verdict is Verdict.WARN
    assert judged.is_explanation
    (finding,) = judged.findings
    assert finding.severity is Severity.WARNING
    assert "4 connections are too few: callers wait 659 ms to use one for 44.0 ms" in finding.title


def _in_two_processes(shy: Mapping[str, Any], busy: Mapping[str, Any]) -> LoadWindow:
    """Each with half of the load, but for what is named; the second has more checkouts."""
    (pool,) = FREE[4].pools
    half = replace(pool, checkouts=400, wait=replace(pool.wait, count=400))
    return replace(
        FREE[4],
        processes=2,
        pools=(replace(half, **shy), replace(half, checkouts=500, **busy)),
    )


def test_of_several_processes_the_one_whose_callers_wait_is_shown() -> None:
    window = _in_two_processes({"timeouts": 3}, {"wait": times(0.001), "waiting_share": 0.1})

    (finding,) = pool_too_small(window, [FREE[16]]).findings

    assert "callers wait 659 ms" in finding.title
    evidence = dict(finding.evidence)
    assert (evidence["time with waiters"], evidence["timeouts"]) == ("98 %", "3")
    assert evidence["shown"] == "one of 2 processes"


def test_a_pool_that_few_wait_for_very_long_hides_no_other() -> None:
    window = _in_two_processes({"wait": times(9.0), "waiting_share": 0.1}, {})

    (finding,) = pool_too_small(window, [FREE[16]]).findings

    assert "callers wait 659 ms" in finding.title


def test_signs_of_two_processes_are_not_those_of_one() -> None:
    window = _in_two_processes({"waiting_share": 0.1}, {"wait": times(0.001)})

    judged = pool_too_small(window, [FREE[16]])

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == "callers waited in 10 % of the time"


def test_the_database_is_judged_where_callers_wait() -> None:
    (pool,) = BUSY[16].pools
    calm = replace(pool, checkouts=pool.checkouts + 1, wait=times(0.0), waiting_share=0.1)

    judged = database_bound(replace(BUSY[16], pools=(pool, calm)), [BUSY[48]])

    assert len(judged.findings) == 1


def _with_latency(p95_seconds: float) -> LoadWindow:
    latency = replace(FREE[4].client.latency, p95_seconds=p95_seconds)
    return with_client(FREE[4], latency=latency)


def _with_duty(share: float) -> LoadWindow:
    return with_server(FREE[4], active=4 * share, idle_in_transaction=4 * (1 - share))


@pytest.mark.parametrize(
    ("window", "is_found"),
    [
        # The wait's 95th percentile is 0.989 s.
        (_with_latency(3.9), True),
        (_with_latency(4.0), False),
        (_with_duty(0.51), True),
        (_with_duty(0.49), False),
        (with_pool(FREE[4], waiting_share=0.21), True),
        (with_pool(FREE[4], waiting_share=0.19), False),
        (replace(FREE[4], process_cpu=0.69), True),
        (replace(FREE[4], process_cpu=0.71), False),
    ],
    ids=["waiting", "hardly", "working", "held", "often", "seldom", "spare CPU", "busy CPU"],
)
def test_each_of_the_signs_of_a_small_pool_is_needed(*, window: LoadWindow, is_found: bool) -> None:
    judged = pool_too_small(window, [FREE[16]])

    assert bool(judged.findings) is is_found


@pytest.mark.parametrize(
    ("window", "others", "told"),
    [
        (BUSY[16], [BUSY[48]], "a larger pool brings hardly more"),
        (HELD, [HELD], "held, not missing: duty 2 %"),
        (SLEEPING[8], [SLEEPING[32]], "it has no time for more"),
        (CALM, [], "callers waited in 0 %"),
        (with_client(FREE[4], latency=replace(FREE[4].client.latency, p95_seconds=9.0)), [], "9.0"),
    ],
    ids=["database", "held", "loop", "calm", "something else is slow"],
)
def test_a_pool_is_not_blamed_for_what_it_is_not(
    window: LoadWindow, others: list[LoadWindow], told: str
) -> None:
    judged = pool_too_small(window, others)

    assert judged.verdict.verdict is Verdict.PASS
    assert told in judged.verdict.summary


@pytest.mark.parametrize("check", [pool_too_small, database_bound])
def test_one_size_alone_tells_neither_the_pool_nor_the_database(
    check: Callable[[LoadWindow], Judged],
) -> None:
    judged = check(BUSY[4])

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert "one" in judged.verdict.summary


@pytest.mark.parametrize("check", [pool_too_small, over_provisioned])
@pytest.mark.parametrize(
    "window",
    [EXHAUSTED, replace(FREE[4], machine=MachineWindow(2, 0.9, 0.1))],
    ids=["failed answers", "generator"],
)
def test_an_invalid_window_tells_nothing_of_the_pool(
    check: Callable[[LoadWindow], Judged], window: LoadWindow
) -> None:
    assert check(window).verdict.verdict is Verdict.INCONCLUSIVE


def test_elasticity_is_that_of_the_next_size_that_is_twice_as_large() -> None:
    step = elasticity(BUSY[4], [BUSY[size] for size in (2, 6, 8, 48)])

    assert step is not None
    assert str(step) == "0.69 from 4 to 8 connections"


@pytest.mark.parametrize(("factor", "is_useful"), [(1.4, False), (1.43, True)])
def test_twice_as_many_connections_must_bring_the_root_of_two(
    *, factor: float, is_useful: bool
) -> None:
    ok = round(FREE[8].client.ok / FREE[8].seconds * FREE[16].seconds * factor)

    step = elasticity(FREE[8], [with_client(FREE[16], ok=ok)])

    assert step is not None
    assert step.is_useful is is_useful


def test_users_have_to_fill_the_pools_of_all_processes() -> None:
    assert "64 users cannot fill 5 x 16" in unusable(replace(FREE[16], processes=5))


def test_the_largest_size_is_compared_with_a_smaller_one() -> None:
    step = elasticity(BUSY[48], [BUSY[32], BUSY[16], BUSY[8]])

    assert step is not None
    assert (step.smaller, step.larger) == (16, 48)


def _default_pool(rates: Mapping[int, float]) -> list[LoadWindow]:
    """A pool of 15, and what the others served: all of them work, with CPU to spare."""
    return [
        load(
            pool=size,
            rate=rate,
            hold=size / rate,
            wait=(64 - size) / rate,
            cpu=0.4,
            active=float(size),
            idle_in_transaction=0.0,
        )
        for size, rate in rates.items()
    ]


def test_a_pool_beyond_the_knee_of_the_sweep_is_not_too_small() -> None:
    # Neither 8 nor 16 is half, or twice, as large as the default pool; 4 is.
    own, *others = _default_pool({15: 640.0, 4: 320.0, 8: 635.0, 16: 640.0})

    judged = pool_too_small(own, others)

    assert judged.verdict.verdict is Verdict.PASS
    assert "elasticity 0.01 from 8 to 15 connections" in judged.verdict.summary
    assert database_bound(own, others).is_explanation


def test_a_pool_below_the_knee_of_the_sweep_is_too_small() -> None:
    own, *others = _default_pool({15: 330.0, 4: 88.0, 8: 176.0, 16: 350.0, 24: 520.0})

    assert pool_too_small(own, others).is_explanation


def test_noise_between_neighbouring_sizes_moves_no_step() -> None:
    # The own pool had a bad slice: 8 to 15 brought less than nothing, 15 to 16 all of it.
    own, *others = _default_pool({15: 300.0, 4: 88.0, 8: 176.0, 16: 350.0})

    step = elasticity(own, others)

    assert step is not None
    assert step.is_useful


def test_rounds_of_a_size_are_their_median() -> None:
    slow = with_client(FREE[16], ok=FREE[16].client.ok // 4)

    step = elasticity(FREE[4], [FREE[16], slow, FREE[16]])

    assert step is not None
    assert step.value == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (with_client(FREE[16], users=15), "15 users cannot fill 1 x 16 connections"),
        (with_client(FREE[16], target_rate=100.0), "arrivals were scheduled"),
        (with_pool(FREE[16], max_overflow=-1), "no bound"),
        (replace(FREE[16], machine=None), "nobody looked"),
    ],
    ids=["few users", "open model", "no bound", "invalid"],
)
def test_a_rate_that_the_pool_did_not_decide_is_not_used(window: LoadWindow, told: str) -> None:
    assert told in unusable(window)
    assert elasticity(FREE[4], [window]) is None


def test_half_of_a_pool_that_its_load_could_have_filled_is_too_much() -> None:
    judged = over_provisioned(with_pool(FREE[32], peak_checked_out=16))

    assert judged.verdict.verdict is Verdict.WARN
    (finding,) = judged.findings
    assert finding.severity is Severity.NOTE
    assert finding.title == "64 users had 16 of 32 connections out at once, at most"
    assert ("pool", "32 connections") in finding.evidence
    assert not judged.is_explanation


def test_a_pool_that_was_used_by_more_than_half_is_right() -> None:
    assert (
        over_provisioned(with_pool(FREE[32], peak_checked_out=17)).verdict.verdict is Verdict.PASS
    )


@pytest.mark.parametrize(
    "window",
    [CALM, replace(with_pool(FREE[32], peak_checked_out=16), processes=3)],
    ids=["one user", "three processes"],
)
def test_a_load_that_cannot_fill_the_pools_does_not_call_them_too_large(window: LoadWindow) -> None:
    assert over_provisioned(window).verdict.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("check", [pool_too_small, over_provisioned])
@pytest.mark.parametrize(
    "window",
    [with_pool(FREE[4], max_overflow=-1), with_pool(FREE[4], size=None), replace(CALM, pools=())],
    ids=["unbounded", "no pool", "no engine"],
)
def test_a_pool_without_a_bound_has_no_size_to_judge(
    check: Callable[[LoadWindow], Judged], window: LoadWindow
) -> None:
    assert check(window).verdict.verdict is Verdict.SKIPPED


def test_indexed_reads_are_nobodys_but_the_loops() -> None:
    judged = [check(INDEXED[8], [INDEXED[32]]) for check in (pool_too_small, database_bound)]

    assert [item.findings for item in judged] == [(), ()]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.298, "298 ms"), (0.0996, "99.6 ms"), (0.09997, "100 ms"), (0.02, "20.0 ms"), (1, "1.0 s")],
)
def test_a_duration_has_no_more_than_three_digits(seconds: float, told: str) -> None:
    assert milliseconds(seconds) == told
