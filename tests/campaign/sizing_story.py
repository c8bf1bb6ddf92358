"""What the tests of a sizing probe ask of its outcome, and what may be wrong with a window.

A module of its own because its drill and its base line are tested apart.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.campaign.outcome import Outcome
from harness.campaign.scenario import Scenario
from harness.capture.windows import LoadWindow, OutstandingCheckout
from harness.checks.load.figures import pool_capacity
from harness.findings import ProbeVerdict
from tests.campaign.simulated import Simulated
from tests.checks.load.building import with_pool, with_route

__all__ = ["SCENARIO", "busy", "leaking", "nested", "phases", "sizes_served", "verdict"]

SCENARIO = Scenario("pool_sizing", Path("sizing.py"))


def verdict(outcome: Outcome, probe: str) -> ProbeVerdict:
    return next(item for item in outcome.verdicts if item.probe == probe)


def phases(outcome: Outcome) -> list[str]:
    return [phase.name for phase in outcome.phases]


def sizes_served(ground: Simulated) -> list[int]:
    """Of pools that were chosen, without overflow, in their order."""
    return [pool.pool_size or 0 for pool in ground.served if pool.max_overflow == 0]


def leaking(window: LoadWindow) -> LoadWindow:
    gone = OutstandingCheckout("pool 1", "GET /orders", True, False, 2.0, None)  # noqa: FBT003
    return replace(window, outstanding=(gone,))


def nested(window: LoadWindow) -> LoadWindow:
    """Each request holds two connections; as many users as connections lock each other out."""
    window = with_route(window, held_at_once=2)
    if window.client.users >= pool_capacity(window):
        return with_pool(window, timeouts=8)
    return window


def busy(window: LoadWindow) -> LoadWindow:
    assert window.machine is not None
    return replace(window, machine=replace(window.machine, foreign_cpu=1.5))
