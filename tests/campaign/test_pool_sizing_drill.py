"""The nesting drill of a sizing probe: whom it takes, how long, and what it settles."""

from __future__ import annotations

from dataclasses import replace

from harness.campaign.probes.pool_sizing import LIMIT, SIZE, pool_sizing
from harness.capture.windows import (
    LoadWindow,
)
from harness.checks.load.figures import pool_capacity
from harness.findings import Verdict
from tests.campaign.simulated import simulated
from tests.campaign.sizing_story import (
    SCENARIO,
    nested,
    phases,
    sizes_served,
    verdict,
)
from tests.checks.load.building import with_pool, with_route


def test_nested_requests_get_the_drill_in_place_of_a_sweep() -> None:
    ground = simulated(change=nested)

    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground) == [10, 11]
    assert [load.users for load in ground.loads[1:]] == [10, 10]
    assert outcome.phases[-1].note == (
        "10 clients on 10 connections: 8 timed out; on 11: none timed out"
    )
    assert verdict(outcome, LIMIT).verdict is Verdict.FAIL
    assert verdict(outcome, LIMIT).summary.startswith("nesting")
    assert "need 11" in verdict(outcome, SIZE).summary


def test_several_connections_of_tasks_that_wait_for_nobody_are_no_nesting() -> None:
    ground = simulated(change=lambda window: with_route(window, held_at_once=10))

    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground)[0] == 10
    assert phases(outcome) == ["baseline", "nesting drill", "ramp", "own pool", "sweep"]
    assert outcome.phases[1].note == "10 clients on 10 connections: none timed out"
    assert outcome.recommendation is not None
    assert outcome.recommendation.pool_size == 4
    assert not [each for each in outcome.findings if each.kind == "nested-checkout"]


def test_a_drill_whose_requests_never_met_leaves_the_formula_as_it_is() -> None:
    def apart(window: LoadWindow) -> LoadWindow:
        return with_pool(with_route(window, held_at_once=2), peak_checked_out=2)

    outcome = pool_sizing(simulated(change=apart), SCENARIO)

    assert phases(outcome) == ["baseline", "nesting drill"]
    assert (
        "10 clients on 10 connections: none timed out, which refutes nothing: "
        "at most 2 of 10 connections were out at once"
    ) in outcome.phases[1].note
    assert verdict(outcome, SIZE).verdict is Verdict.SKIPPED
    assert "10 such requests need 11" in verdict(outcome, SIZE).summary
    assert [each.kind for each in outcome.findings] == ["nested-checkout"]


def test_a_drill_lasts_for_as_long_as_somebody_who_is_locked_out_half_way_waits() -> None:
    ground = simulated(change=nested)
    ground.hold = 0.2

    pool_sizing(ground, SCENARIO)

    for served, load in zip(ground.served[1:3], ground.loads[1:3], strict=True):
        assert served.pool_timeout is not None
        assert load.seconds >= 2 * served.pool_timeout


def test_a_drill_has_as_many_clients_as_the_pool_that_is_nested_in_has_connections() -> None:
    def on_a_replica(window: LoadWindow) -> LoadWindow:
        window = with_route(window, held_at_once=2, pool="replica")
        size = 6 if window.client.users == 1 else pool_capacity(window)
        replica = replace(window.pools[0], name="replica", size=size, max_overflow=0, checkouts=1)
        if window.client.users == size:
            replica = replace(replica, peak_checked_out=size, timeouts=5)
        return replace(window, pools=(*window.pools, replica))

    ground = simulated(change=on_a_replica)
    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground) == [6, 7]
    assert verdict(outcome, LIMIT).verdict is Verdict.FAIL
    assert "confirmed, 6 clients on 6 connections" in verdict(outcome, LIMIT).summary


def test_each_pool_that_is_nested_in_is_drilled() -> None:
    def on_two(window: LoadWindow) -> LoadWindow:
        window = with_route(window, held_at_once=2)
        other = replace(window.routes[0], route="GET /other", pool="replica")
        replica = replace(window.pools[0], name="replica", size=7, max_overflow=0, checkouts=1)
        if window.client.users > 1:
            replica = replace(window.pools[0], name="replica", checkouts=1)
        return replace(window, pools=(*window.pools, replica), routes=(window.routes[0], other))

    ground = simulated(change=on_two)
    outcome = pool_sizing(ground, SCENARIO)

    assert sizes_served(ground)[:2] == [10, 7]
    assert phases(outcome)[:4] == ["baseline", "nesting drill", "nesting drill", "ramp"]
