"""The order of a sizing probe, on applications whose capacity is known by arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.pool_sizing import LIMIT, SIZE, pool_sizing
from harness.campaign.scenario import Settings
from harness.capture.windows import (
    LoadWindow,
    LoopWindow,
    Reading,
    UnreadProcess,
)
from harness.checks.load.figures import counted, pool_capacity
from harness.findings import ProbeVerdict, Verdict
from harness.report.load_wording import curve_note
from tests.campaign.simulated import simulated
from tests.campaign.sizing_story import (
    SCENARIO,
    busy,
    leaking,
    phases,
    sizes_served,
    verdict,
)
from tests.checks.load.building import with_client, with_pool


@pytest.mark.parametrize("capacity", [2, 4, 8])
def test_the_size_that_is_found_is_what_the_database_can_work_on(capacity: int) -> None:
    outcome = pool_sizing(simulated(capacity=capacity), SCENARIO)

    assert outcome.recommendation is not None
    assert outcome.recommendation.knee == outcome.recommendation.pool_size == capacity
    assert verdict(outcome, SIZE).verdict is Verdict.PASS
    assert verdict(outcome, LIMIT).summary.startswith("database-bound")
    assert phases(outcome) == ["baseline", "ramp", "own pool", "sweep"]


def test_each_size_is_served_anew_once_in_each_of_three_rounds() -> None:
    ground = simulated()

    outcome = pool_sizing(ground, SCENARIO)

    served = sizes_served(ground)
    sizes = sorted(set(served))
    assert outcome.recommendation is not None
    assert [point.size for point in outcome.recommendation.curve] == sizes
    rounds = [served[start : start + len(sizes)] for start in range(0, len(served), len(sizes))]
    assert [sorted(each) for each in rounds] == [sizes] * 3


def test_the_seed_of_the_order_is_told() -> None:
    [sweep] = [each for each in pool_sizing(simulated(), SCENARIO).phases if each.name == "sweep"]

    assert "random order (seed " in sweep.note
    assert "3 rounds" in sweep.note


def test_the_applications_own_pool_is_served_first() -> None:
    ground = simulated()

    pool_sizing(ground, SCENARIO)

    assert ground.served[0].max_overflow == 5


def test_where_connections_leak_nothing_else_is_measured() -> None:
    ground = simulated(change=leaking)

    outcome = pool_sizing(ground, SCENARIO)

    assert phases(outcome) == ["baseline"]
    assert verdict(outcome, LIMIT).verdict is Verdict.FAIL
    assert verdict(outcome, LIMIT).summary.startswith("leak")
    assert verdict(outcome, SIZE).verdict is Verdict.SKIPPED


def test_an_application_that_keeps_its_own_pool_is_skipped_with_the_reason() -> None:
    outcome = pool_sizing(simulated(obeys=False), SCENARIO)

    told = verdict(outcome, SIZE)
    assert told.verdict is Verdict.SKIPPED
    assert "the application has a pool of 10" in told.summary
    assert len(outcome.phases[-1].windows) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda window: with_pool(window, size=None, max_overflow=None), "takes no size"),
        (lambda window: replace(window, pools=()), "no request took a connection"),
    ],
)
def test_where_no_size_can_be_chosen_the_reason_is_told_and_the_limit_still_is(
    change: Callable[[LoadWindow], LoadWindow], why: str
) -> None:
    ground = simulated(change=change)

    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground) == []
    assert verdict(outcome, SIZE).verdict is Verdict.SKIPPED
    assert why in verdict(outcome, SIZE).summary
    assert phases(outcome) == ["baseline", "ramp", "own pool"]


def test_without_a_server_there_is_nothing_to_size() -> None:
    ground = simulated(why_no_activity="SQLite has no server")

    outcome = pool_sizing(ground, SCENARIO)

    assert outcome.verdicts == (ProbeVerdict(SIZE, Verdict.SKIPPED, "SQLite has no server"),)
    assert ground.served == []


def test_a_target_that_is_not_ours_is_left_alone() -> None:
    ground = Ground(Settings(), lambda _step: None, outside=OutsideTarget("http://shop.example"))

    with pytest.raises(NotOursError, match="pools of other sizes"):
        pool_sizing(ground, SCENARIO)


def test_a_slice_on_a_busy_machine_is_repeated_but_not_for_ever() -> None:
    calm = simulated()
    pool_sizing(calm, SCENARIO)

    ground = simulated(change=lambda window: busy(window) if window.client.users > 1 else window)
    outcome = pool_sizing(ground, SCENARIO)

    assert len(calm.loads) < len(ground.loads) <= len(calm.loads) + 4
    assert verdict(outcome, SIZE).verdict is Verdict.INCONCLUSIVE
    assert "the machine was busy" in verdict(outcome, SIZE).summary


def test_what_a_busy_machine_has_measured_is_shown_though_it_is_not_judged() -> None:
    ground = simulated(change=lambda window: busy(window) if window.client.users > 1 else window)

    told = pool_sizing(ground, SCENARIO).recommendation

    assert told is not None
    assert told.verdict is Verdict.INCONCLUSIVE
    assert [point.size for point in told.curve] == sorted(set(sizes_served(ground)))
    assert curve_note(told) == "measured, not judged"


@pytest.mark.parametrize("users", [1, 4, 16])
def test_a_ramp_that_ends_in_refusals_says_so_and_no_sweep_follows(users: int) -> None:
    taken = list[int]()

    def limited(window: LoadWindow) -> LoadWindow:
        taken.append(window.client.users)
        if len(taken) == 1 or window.client.users < users:  # the first one is the base line
            return window
        requests = window.client.requests
        return with_client(window, ok=0, refused=requests, rate_limited=requests)

    outcome = pool_sizing(simulated(change=limited), SCENARIO)

    assert phases(outcome) == ["baseline", "ramp", "own pool"]
    told = verdict(outcome, SIZE)
    assert told.verdict is Verdict.INCONCLUSIVE
    assert f"no good answer to {counted(users, 'user')}: " in told.summary
    assert "answers were 429, of a rate limit" in told.summary


@pytest.mark.parametrize("users", [24, 100])
def test_no_more_users_come_than_somebody_asked_for(users: int) -> None:
    ground = simulated(Settings(users=users), capacity=1000)

    pool_sizing(ground, SCENARIO)

    assert max(load.users for load in ground.loads) == users


def test_a_single_bad_slice_changes_nothing() -> None:
    spoiled: list[LoadWindow] = []

    def once(window: LoadWindow) -> LoadWindow:
        if pool_capacity(window) == 2 and not spoiled:
            spoiled.append(window)
            return with_client(window, rates=(1.0, 900.0) * 3)
        return window

    outcome = pool_sizing(simulated(change=once), SCENARIO)

    assert spoiled
    assert outcome.recommendation is not None
    assert outcome.recommendation.pool_size == 4
    assert "1 repeated" in outcome.phases[-1].note


def test_a_process_that_was_not_read_in_the_sweep_is_not_said_to_refuse_a_size() -> None:
    def unread_at_two(window: LoadWindow) -> LoadWindow:
        if pool_capacity(window) != 2:
            return window
        silent = (UnreadProcess(4711, Reading.END, "timed out"),)
        return replace(window, pools=(), routes=(), loop=LoopWindow(), unread=silent)

    outcome = pool_sizing(simulated(change=unread_at_two), SCENARIO)

    told = outcome.recommendation
    assert told is not None
    assert [point.size for point in told.curve] == [1, 4, 8]
    assert "process 4711 was not read at the end of the load" in "; ".join(told.left_out)


def test_where_throughput_rises_to_the_end_one_size_more_is_tried() -> None:
    ground = simulated(Settings(sizes=(2, 4, 8), users=64), capacity=16)

    pool_sizing(ground, SCENARIO)

    assert sorted(set(sizes_served(ground))) == [2, 4, 8, 16]


def test_the_short_form_compares_with_one_other_size_and_recommends_none() -> None:
    ground = simulated(Settings(is_short=True))

    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground) == [20]
    assert len(ground.loads) == 3
    assert verdict(outcome, LIMIT).summary.startswith("database-bound")
    assert verdict(outcome, SIZE).verdict is Verdict.SKIPPED


def test_sizes_that_cannot_be_filled_are_not_tried_and_the_limit_is_told() -> None:
    outcome = pool_sizing(simulated(Settings(users=8, sizes=(16, 32))), SCENARIO)

    assert phases(outcome) == ["baseline", "ramp", "own pool"]
    assert "8 users cannot fill a pool of 16 or 32" in verdict(outcome, SIZE).summary
    assert verdict(outcome, LIMIT).verdict is Verdict.PASS


@pytest.mark.parametrize("is_short", [False, True])
def test_of_fewer_sizes_than_were_asked_for_the_report_names_the_others(*, is_short: bool) -> None:
    settings = Settings(users=16, sizes=(2, 4, 8, 32), is_short=is_short)

    outcome = pool_sizing(simulated(settings), SCENARIO)

    assert outcome.phases[-1].name == "sweep"
    assert outcome.phases[-1].note.endswith(
        "; 16 users cannot fill a pool of 32: --users 32 or more"
    )


def test_a_limit_that_nothing_is_wrong_with_passes() -> None:
    outcome = pool_sizing(simulated(), SCENARIO)

    assert outcome.classification is not None
    assert outcome.classification.verdict.verdict is Verdict.WARN
    assert verdict(outcome, LIMIT).verdict is Verdict.PASS


def test_a_rate_that_no_size_reaches_fails_with_a_finding() -> None:
    outcome = pool_sizing(simulated(Settings(target_rate=9000.0)), SCENARIO)

    assert verdict(outcome, SIZE).verdict is Verdict.FAIL
    assert "more processes do not help" in verdict(outcome, SIZE).summary
    [finding] = [each for each in outcome.findings if each.kind == "no-pool-size"]
    assert finding.title == verdict(outcome, SIZE).summary


def test_replicas_and_surge_share_the_servers_room() -> None:
    outcome = pool_sizing(simulated(Settings(replicas=10, surge=1.5), capacity=8), SCENARIO)

    assert outcome.recommendation is not None
    assert outcome.recommendation.fleet is not None
    assert outcome.recommendation.fleet.ceiling == 5
    assert (outcome.recommendation.pool_size or 0) <= 5
