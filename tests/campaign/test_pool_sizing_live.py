"""The sizing probe on the reference application's workloads of known capacity, in a short form.

The whole of it, with three rounds for each of several capacities, is `benchmarks/calibration.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from harness.campaign.ground import Ground
from harness.campaign.probes.pool_sizing import LIMIT, SIZE, pool_sizing
from harness.campaign.scenario import Settings, packaged
from harness.campaign.sizing.drill import drilled, suspects
from harness.campaign.sizing.form import SHORT
from harness.campaign.sizing.plan import SweepPlan
from harness.campaign.sizing.slices import Slices
from harness.campaign.sizing.sweep import swept
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow, MachineWindow
from harness.checks.load.classification import Classification, Outcome, classified
from harness.checks.load.figures import pool_capacity, rate, timeouts
from harness.checks.load.held_idle import held_idle
from harness.checks.load.leak import leak
from harness.checks.load.nesting import connections_without_deadlock, nesting
from harness.findings import Verdict
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig, rig_process
from harness.rig.protocol import Started

pytestmark = pytest.mark.group("postgres")

SCENARIO = packaged("pool_sizing")
BRIEF = replace(SHORT, baseline_seconds=1.0, repeats=0)
NESTED = "/faults/nested-checkout/two?milliseconds=20"


@dataclass(frozen=True, slots=True)
class Shop:
    """The reference application with its load faults."""

    rig: Rig
    started: Started

    def ground(self, *paths: str, is_short: bool = True) -> Ground:
        settings = Settings(plan=planned(*paths), is_short=is_short)
        return Ground(settings, lambda _step: None, rig=self.rig, started=self.started)

    def window(
        self,
        *paths: str,
        users: int,
        seconds: float,
        pool: PoolChoice | None = None,
        rest_seconds: float = 1.0,
    ) -> LoadWindow:
        """One stretch of load, in which everything that is asked is answered and counted."""
        ground = self.ground(*paths)
        ground.serve(pool)
        load = Load(users, seconds, warm_up_seconds=1.0)
        return ground.measured(SCENARIO, load, rest_seconds=rest_seconds).window

    def explained(self, path: str) -> Classification:
        """What limits a route, as far as the machine lets anybody tell."""
        return classified([self.window(path, users=8, seconds=6.0)])


def planned(*paths: str) -> Plan:
    return tuple((f"GET {path.partition('?')[0]}", path) for path in paths)


def on_a_quiet_machine(window: LoadWindow) -> LoadWindow:
    """Judged as if nothing else had run: shares of time that no other test can turn around."""
    return replace(window, machine=MachineWindow(cores=2, generator_cpu=0.1, foreign_cpu=0.0))


@pytest.fixture(scope="module")
def shop(pytestconfig: pytest.Config) -> Iterator[Shop]:
    own = {"HARNESS_POSTGRES": "embedded"} if "HARNESS_POSTGRES" in os.environ else {}
    with rig_process(environment={"TARGET_APP_LOAD_FAULTS": "true", **own}) as rig:
        yield Shop(rig, rig.start(pytestconfig.rootpath))


def test_connections_beyond_the_number_of_locks_serve_hardly_more(shop: Shop) -> None:
    # Slow enough that the machine's time, which other tests want too, is not what limits them.
    ground = shop.ground("/capacity/locks?keys=4&milliseconds=160")
    slices = Slices(ground, SCENARIO, BRIEF, spare=0)
    plan = SweepPlan((2, 4, 8), users=16, seconds=(2.0, 2.0, 2.0), room=80)

    sweep = swept(slices, plan, seed=7)

    rates = {pool_capacity(window): rate(window) for window in sweep.windows}
    assert sweep.refusal == ""
    assert rates[4] / rates[2] > 2**0.5 > rates[8] / rates[4]


def test_as_many_nested_requests_as_connections_lock_each_other_out_and_one_more_ends_it(
    shop: Shop,
) -> None:
    ground = shop.ground(NESTED)
    ground.serve()
    baseline = Slices(ground, SCENARIO, BRIEF, spare=0).baseline()

    beforehand = nesting(baseline).findings[0].title
    drill = drilled(ground, SCENARIO, suspects(baseline)[0], room=80)

    assert "10 connections are safe for up to 9 at a time" in beforehand
    assert drill.safe_size == 11
    assert timeouts(drill.locked) > 0
    assert drill.safe is not None
    assert timeouts(drill.safe) == 0
    assert connections_without_deadlock(drill.safe) <= 11
    # The baseline of 10 + 0 is the application's own 5 + 5: the drill has as many connections.
    confirmed = classified([baseline], drill.locked)
    assert (confirmed.cause, confirmed.verdict.verdict) == ("nesting", Verdict.FAIL)
    assert "confirmed, 10 clients on 10 connections" in confirmed.reason


def test_a_route_that_leaks_is_named_and_gets_no_size(shop: Shop) -> None:
    outcome = pool_sizing(shop.ground("/faults/leak/never-closed"), SCENARIO)

    verdicts = {item.probe: item for item in outcome.verdicts}
    assert verdicts[LIMIT].verdict is Verdict.FAIL
    assert verdicts[LIMIT].summary.startswith("leak")
    assert verdicts[SIZE].verdict is Verdict.SKIPPED
    [found] = [finding for finding in outcome.findings if finding.kind == "connection-leak"]
    assert found.anchor == "GET /faults/leak/never-closed"
    assert found.site is not None


def test_a_connection_that_is_held_over_http_is_the_cause(shop: Shop) -> None:
    path = "/faults/held-connection/http?milliseconds=200"

    told = classified([on_a_quiet_machine(shop.window(path, users=30, seconds=3.0))])

    assert (told.cause, told.verdict.verdict) == ("held-idle", Verdict.FAIL), told.reason


def test_a_route_that_computes_is_limited_by_its_process(shop: Shop) -> None:
    told = shop.explained("/capacity/cpu?milliseconds=5")
    if told.outcome is Outcome.INCONCLUSIVE:
        told = shop.explained("/capacity/cpu?milliseconds=5")

    # Beside other tests the machine may be busy in both attempts: then nobody is accused.
    is_told = told.outcome is Outcome.INCONCLUSIVE and "the machine was busy" in told.reason
    assert told.cause == "saturated-loop" or is_told, told.reason


def test_the_twins_are_not_accused(shop: Shop) -> None:
    twins = (
        "/twins/leak/never-closed",
        "/twins/nested-checkout/two?milliseconds=20",
        "/twins/held-connection/http?milliseconds=100",
    )

    window = on_a_quiet_machine(shop.window(*twins, users=4, seconds=2.0))

    answers = [check(window).verdict for check in (leak, nesting, held_idle)]
    assert [answer.verdict for answer in answers] == [Verdict.PASS] * 3, answers
    assert classified([window]).cause == ""
