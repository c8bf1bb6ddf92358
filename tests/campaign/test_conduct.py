"""The order of a campaign, and what becomes of a probe that cannot give an answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.campaign.conduct import Campaign
from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes import Probe
from harness.campaign.scenario import Scenario, Settings
from harness.config import Configuration, Project
from harness.errors import HarnessError, MisuseError, RigError, ServerStartError
from harness.findings import ProbeVerdict, Verdict
from harness.rig.trouble.refusal import CannotTroubleError
from tests.campaign.simulated import simulated
from tests.checks.load.recorded import INDEXED

WELL = Outcome((ProbeVerdict("soak", Verdict.PASS, "all went well"),))


def passing(_ground: Ground, _scenario: Scenario) -> Outcome:
    return WELL


def raising(error: BaseException) -> Probe:
    def probe(ground: Ground, _scenario: Scenario) -> Outcome:
        ground.windows.append(INDEXED[1])
        raise error

    return probe


def needing_the_server(ground: Ground, _scenario: Scenario) -> Outcome:
    ground.required_rig("to restart the server")
    raise AssertionError


def campaign(probes: Mapping[str, Probe]) -> Campaign:
    target = OutsideTarget("http://shop.example")
    return Campaign(
        Project(Path(), Configuration(), {}),
        Ground(Settings(), lambda _step: None, outside=target),
        [Scenario(name, Path("loads.py")) for name in probes],
        probes=probes,
    )


def test_no_probe_finds_what_another_one_has_served() -> None:
    held = campaign({"exhaustion": passing, "soak": passing})
    ground = held.ground = simulated()

    held.run()

    assert ground.stops == 2


def test_probes_are_held_in_the_order_of_their_scenarios() -> None:
    held: list[str] = []

    def noted(_ground: Ground, scenario: Scenario) -> Outcome:
        held.append(scenario.probe)
        return WELL

    campaign({"browse": noted, "soak": noted}).run()

    assert held == ["browse", "soak"]


def test_each_probe_is_told_as_it_begins_and_ends() -> None:
    told: list[str] = []
    both = campaign({"browse": passing, "recovery": needing_the_server})
    both.ground.tell = told.append

    both.run()

    assert told == ["browse, 1 of 2", "browse: pass", "recovery, 2 of 2", "recovery: skipped"]


def test_a_probe_that_needs_what_is_not_ours_is_skipped_with_the_reason() -> None:
    both = campaign({"recovery": needing_the_server, "soak": passing})

    both.run()

    reason = "http://shop.example was not started here, which is needed to restart the server"
    recovery = ProbeVerdict("recovery", Verdict.SKIPPED, reason)
    assert both.report().probes == (recovery, *WELL.verdicts)
    assert both.report().verdict is Verdict.PASS


def test_a_trouble_that_cannot_be_made_skips_its_probe() -> None:
    both = campaign({"recovery": raising(CannotTroubleError("no right to")), "soak": passing})

    both.run()

    assert [item.verdict for item in both.report().probes] == [Verdict.SKIPPED, Verdict.PASS]


def test_a_probe_that_could_not_be_measured_is_inconclusive_and_the_next_is_held() -> None:
    failed = raising(ServerStartError("Locust ended too early", where="first\nImportError: shop"))
    both = campaign({"browse": failed, "soak": passing})

    both.run()

    why = "Locust ended too early ImportError: shop"
    assert both.report().probes == (
        ProbeVerdict("browse", Verdict.INCONCLUSIVE, why),
        *WELL.verdicts,
    )
    assert both.report().verdict is Verdict.INCONCLUSIVE


def test_what_was_measured_before_a_probe_failed_is_in_the_report() -> None:
    both = campaign({"browse": raising(ServerStartError("gone")), "soak": passing})

    both.run()

    assert [(phase.name, phase.windows) for phase in both.report().phases] == [
        ("browse", (INDEXED[1],))
    ]


def test_windows_of_one_probe_are_not_told_as_another_ones() -> None:
    both = campaign({"browse": raising(ServerStartError("1")), "soak": needing_the_server})

    both.run()

    assert both.ground.windows == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KeyboardInterrupt(), "interrupted before it had an answer"),
        (RigError("the rig has ended"), "the rig has ended"),
        (MisuseError("no routes to request"), "no routes to request"),
        (ZeroDivisionError("by nothing"), "ended by a fault of the harness: ZeroDivisionError("),
    ],
    ids=["interrupted", "rig", "misuse", "fault"],
)
def test_what_ends_the_campaign_is_told_with_what_is_known_so_far(
    error: BaseException, why: str
) -> None:
    three = campaign({"soak": passing, "browse": raising(error), "recovery": passing})

    with pytest.raises(type(error)):
        three.run()

    held, ended, not_held = three.report().probes
    assert held == WELL.verdicts[0]
    assert (ended.probe, ended.verdict) == ("browse", Verdict.INCONCLUSIVE)
    assert ended.summary.startswith(why)
    assert (not_held.probe, not_held.verdict) == ("recovery", Verdict.SKIPPED)
    assert not_held.summary == "the campaign ended before it was held"
    assert three.report().phases[0].windows == (INDEXED[1],)


def test_a_probe_without_an_answer_keeps_the_error_for_nobody_else() -> None:
    one = campaign({"browse": raising(HarnessError("odd"))})

    one.run()

    assert one.report().probes == (ProbeVerdict("browse", Verdict.INCONCLUSIVE, "odd"),)
