"""The order of a campaign, and what becomes of a probe that cannot give an answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.campaign.conduct import Campaign
from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome, without_measurement
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes import Probe
from harness.campaign.probes.disconnect import disconnect
from harness.campaign.probes.n_plus_one import n_plus_one
from harness.campaign.probes.soak import soak
from harness.campaign.probes.streaming import streaming
from harness.campaign.scenario import Scenario, Settings
from harness.config import Configuration, Project
from harness.errors import HarnessError, MisuseError, RigError, ServerStartError
from harness.findings import ProbeVerdict, Verdict
from harness.rig.client import Rig
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


@pytest.mark.parametrize("probe", [n_plus_one, disconnect, soak, streaming])
def test_what_only_the_application_can_tell_is_skipped_before_anybody_is_loaded(
    probe: Probe,
) -> None:
    held = campaign({"any": probe})
    held.ground.settings = Settings(is_short=True)

    held.run()

    (verdict,) = held.report().probes
    assert verdict.verdict is Verdict.SKIPPED
    assert verdict.summary.startswith("the target has no probe, or HARNESS_TOKEN is not set")
    assert held.ground.windows == []


def test_who_cannot_be_counted_by_its_probe_is_told_of_its_log() -> None:
    held = campaign({"any": n_plus_one})

    held.run()

    (verdict,) = held.report().probes
    assert verdict.summary.endswith("; --count-by=echo counts from its log")


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


def test_what_a_probe_knew_before_it_failed_is_its_answer() -> None:
    def half(ground: Ground, _scenario: Scenario) -> Outcome:
        ground.so_far = lambda why: without_measurement("half", Verdict.FAIL, f"leaks; {why}")
        raise ServerStartError("gone")

    both = campaign({"soak": half, "browse": raising(ServerStartError("too"))})

    both.run()

    told = [(item.probe, item.summary) for item in both.report().probes]
    assert told == [("half", "leaks; gone"), ("browse", "too")]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ServerStartError("gone")], ids=["interrupted", "not measured"]
)
def test_an_answer_that_fails_does_not_take_the_place_of_what_ended_the_probe(
    error: BaseException,
) -> None:
    def half(ground: Ground, scenario: Scenario) -> Outcome:
        ground.so_far = lambda _why: raising(LookupError("nothing yet"))(ground, scenario)
        ground.windows.append(INDEXED[1])
        raise error

    both = campaign({"browse": half, "soak": passing})
    is_the_end = isinstance(error, KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt) if is_the_end else nullcontext():
        both.run()

    told = both.report()
    why = "interrupted before it had an answer" if is_the_end else "gone"
    assert (told.probes[0].probe, told.probes[0].verdict) == ("browse", Verdict.INCONCLUSIVE)
    assert told.probes[0].summary == (
        f"{why}; what was known by then cannot be told: ended by a fault of the harness: "
        "LookupError('nothing yet')"
    )
    assert [phase.windows[0] for phase in told.phases] == [INDEXED[1]]


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


def test_a_rig_that_has_failed_to_do_something_and_goes_on_costs_one_probe() -> None:
    two = campaign({"browse": raising(RigError("did not finish 'begin_trouble'")), "soak": passing})
    ground = two.ground = simulated()
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    ) as process:
        ground.rig = Rig(process)
        two.run()
        process.communicate("\n")

    failed, held = two.report().probes
    assert (failed.verdict, failed.summary) == (
        Verdict.INCONCLUSIVE,
        "did not finish 'begin_trouble'",
    )
    assert held == WELL.verdicts[0]


def test_a_rig_that_is_gone_ends_the_campaign() -> None:
    two = campaign({"browse": raising(RigError("the rig has ended")), "soak": passing})
    ground = two.ground = simulated()
    with subprocess.Popen([sys.executable, "-c", ""], text=True) as process:
        process.wait()
        ground.rig = Rig(process)

        with pytest.raises(RigError):
            two.run()


def test_a_probe_without_an_answer_keeps_the_error_for_nobody_else() -> None:
    one = campaign({"browse": raising(HarnessError("odd"))})

    one.run()

    assert one.report().probes == (ProbeVerdict("browse", Verdict.INCONCLUSIVE, "odd"),)
