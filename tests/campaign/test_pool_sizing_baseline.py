"""The load of one user that a sizing probe begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.campaign.probes.pool_sizing import SIZE, pool_sizing
from harness.campaign.scenario import Settings
from harness.capture.windows import (
    LoadWindow,
    MachineWindow,
    Reading,
    UnreadProcess,
)
from harness.findings import Verdict
from tests.campaign.simulated import Simulated, simulated
from tests.campaign.sizing_story import (
    SCENARIO,
    busy,
    leaking,
    phases,
    sizes_served,
    verdict,
)
from tests.checks.load.building import with_client, with_pool


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda window: with_client(window, ok=10), "answers to one user were not good"),
        (lambda window: replace(window, processes=0), "no probe"),
    ],
)
def test_what_one_user_cannot_measure_is_not_measured_with_many(
    change: Callable[[LoadWindow], LoadWindow], why: str
) -> None:
    ground = simulated(change=change)

    outcome = pool_sizing(ground, SCENARIO)

    assert len(ground.loads) == 1
    assert verdict(outcome, SIZE).verdict is Verdict.INCONCLUSIVE
    assert why in verdict(outcome, SIZE).summary


def test_a_base_line_that_stays_unusable_ends_the_search_early() -> None:
    ground = simulated(change=busy)

    outcome = pool_sizing(ground, SCENARIO)

    assert phases(outcome) == ["baseline", "own pool"]
    assert sizes_served(ground) == []
    assert verdict(outcome, SIZE).verdict is Verdict.INCONCLUSIVE
    assert "the load of one user cannot be used: the machine was" in verdict(outcome, SIZE).summary


def one_at_a_time(ground: Simulated) -> Callable[[LoadWindow], LoadWindow]:
    """One user gets no more answers than the length of the load allows."""

    def counted_by_the_clock(window: LoadWindow) -> LoadWindow:
        if window.client.users > 1:
            return window
        seconds = ground.loads[-1].seconds
        requests = int(seconds / ground.hold)
        window = with_pool(window, hold=replace(window.pools[0].hold, count=requests))
        return with_client(replace(window, seconds=seconds), requests=requests, ok=requests)

    return counted_by_the_clock


def test_a_route_of_a_fifth_of_a_second_gets_a_longer_base_line_and_a_size() -> None:
    ground = simulated(capacity=8)
    ground.hold, ground.change = 0.2, one_at_a_time(ground)

    outcome = pool_sizing(ground, SCENARIO)

    assert [load.seconds for load in ground.loads[:2]] == [6.0, pytest.approx(12.0)]
    assert outcome.recommendation is not None
    assert outcome.recommendation.pool_size == 8


def test_what_further_processes_spend_on_waiting_is_no_cost_of_a_request() -> None:
    ground = simulated(Settings(workers=4))
    ground.idle_cpu = 0.02

    outcome = pool_sizing(ground, SCENARIO)

    assert ground.workers == [1, *[4] * (len(ground.served) - 1)]
    assert ground.served[0] == ground.served[1]
    assert outcome.recommendation is not None
    assert outcome.recommendation.bounds is not None
    assert outcome.recommendation.bounds.cpu_seconds == pytest.approx(0.0005, rel=0.01)


def test_the_short_form_serves_one_user_as_all_others() -> None:
    ground = simulated(Settings(workers=2, is_short=True))

    pool_sizing(ground, SCENARIO)

    assert set(ground.workers) == {2}


def test_a_base_line_of_refusals_is_not_made_longer() -> None:
    ground = simulated(change=lambda window: with_client(window, requests=20, ok=0, refused=20))

    pool_sizing(ground, SCENARIO)

    assert [load.seconds for load in ground.loads] == [6.0]


def test_a_base_line_that_a_leak_has_slowed_down_is_not_made_longer() -> None:
    ground = simulated(
        change=lambda window: with_client(leaking(window), requests=20, ok=20),
    )

    pool_sizing(ground, SCENARIO)

    assert [load.seconds for load in ground.loads] == [6.0]


def test_a_sweep_whose_slices_cannot_become_valid_is_not_held() -> None:
    ground = simulated(capacity=4)
    ground.hold, ground.change = 0.4, one_at_a_time(ground)

    outcome = pool_sizing(ground, SCENARIO)

    assert phases(outcome) == ["baseline", "ramp", "own pool"]
    assert verdict(outcome, SIZE).verdict is Verdict.INCONCLUSIVE
    assert "requests are too slow for slices of 25 s" in verdict(outcome, SIZE).summary


@pytest.mark.parametrize(
    "disturbance",
    [
        {"machine": MachineWindow(2, 0.1, 1.5)},
        {"unread": (UnreadProcess(4711, Reading.END, "timed out"),)},
    ],
    ids=["a busy machine", "a process that was not read"],
)
def test_a_disturbed_base_line_is_measured_again(disturbance: dict[str, Any]) -> None:
    disturbed: list[LoadWindow] = []

    def first(window: LoadWindow) -> LoadWindow:
        if disturbed:
            return window
        disturbed.append(window)
        return replace(window, **disturbance)

    ground = simulated(change=first)
    outcome = pool_sizing(ground, SCENARIO)

    assert [load.users for load in ground.loads[:3]] == [1, 1, 1]  # the third is the ramp's
    assert verdict(outcome, SIZE).verdict is Verdict.PASS
