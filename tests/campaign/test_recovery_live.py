"""The way back, live: applications that find it, and some that do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaign.conduct import campaign_ground
from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.recovery import recovery
from harness.campaign.recovering.holding import Holding
from harness.campaign.recovering.plan import Form, Trouble, form_of
from harness.campaign.recovering.run import Run
from harness.campaign.recovering.writes import opened_ledger
from harness.campaign.scenario import Settings, packaged
from harness.config import Project, load_project
from harness.findings import Verdict
from harness.pool_choice import PoolChoice
from tests.campaign.shop_project import PLAN, write_shop
from tests.load.conftest import CountingServer
from tests.rig.conftest import own_server

SETTINGS = Settings(users=4, seconds=3.0, is_short=True, plan=PLAN)
FORM = form_of(SETTINGS)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return load_project(write_shop(tmp_path_factory.mktemp("shop")))


@pytest.fixture(scope="module")
def ground(project: Project) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own_server().items():
            patch.setenv(name, value)
        with campaign_ground(project, SETTINGS, step=print, detail=print) as ground:
            yield ground


def trouble(name: str) -> Trouble:
    return next(each for each in FORM.troubles if each.probe == name)


def held(ground: Ground, *names: str, form: Form = FORM, **environment: str) -> Outcome:
    """These troubles, one after the other; `recovery-idle` is that of no load."""
    pool = PoolChoice(pool_timeout=form.pool_timeout_seconds)
    ground.serve(pool, is_proxied=True, environment=environment)
    run = Run(ground, Holding(ground, packaged("recovery"), form, opened_ledger(ground)))
    for name in names:
        run.first() if name == "recovery-idle" else run.then(trouble(name))
    return run.outcome()


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    return {item.probe: item.verdict for item in outcome.verdicts}


def facts(outcome: Outcome) -> list[dict[str, str]]:
    return [dict(timeline.facts) for timeline in outcome.troubles]


def test_an_application_that_looks_first_comes_back_and_loses_nothing(ground: Ground) -> None:
    outcome = held(ground, "recovery-idle", "recovery-restart", SHOP_PING="yes")

    assert verdicts(outcome) == {
        "recovery-idle": Verdict.PASS,
        "recovery-restart": Verdict.PASS,
        "nothing-lost": Verdict.PASS,
    }, outcome.verdicts
    idle, restart = facts(outcome)
    assert idle["failed later"] == restart["failed later"] == "0"
    assert idle["left out, failed before"] == "GET /broken"
    assert restart["failed meanwhile"] != "0"


def test_an_application_that_does_not_look_first_gives_out_dead_connections(
    ground: Ground,
) -> None:
    outcome = held(ground, "recovery-idle")

    assert verdicts(outcome) == {
        "recovery-idle": Verdict.WARN,
        "nothing-lost": Verdict.PASS,
    }, outcome.verdicts
    assert [finding.kind for finding in outcome.findings] == ["stale-connection"]
    assert 1 <= int(facts(outcome)[0]["failed later"]) <= 14  # the pool's


def test_writes_that_are_answered_before_they_are_made_get_lost(ground: Ground) -> None:
    outcome = held(ground, "recovery-cut", SHOP_LATE="yes", SHOP_PING="yes")

    assert verdicts(outcome)["nothing-lost"] is Verdict.FAIL, outcome.verdicts
    (lost,) = [finding for finding in outcome.findings if finding.kind == "lost-write"]
    assert lost.identity == "lost-write network cut @ POST /notes"
    assert lost.site is not None
    assert lost.site.function == "add"


def test_an_application_that_keeps_its_failure_does_not_come_back(ground: Ground) -> None:
    # A busy machine takes a second longer to take all connections, which is missing afterwards.
    longer = form_of(replace(SETTINGS, seconds=9.0))
    outcome = held(ground, "recovery-full", form=longer, SHOP_FAILS="yes", SHOP_PING="yes")

    assert verdicts(outcome)["recovery-full"] is Verdict.FAIL, outcome.verdicts
    assert outcome.troubles[0].begins_seconds < outcome.troubles[0].ends_seconds


def test_what_is_not_ours_is_skipped_and_the_load_still_stops_and_comes_back(
    server: CountingServer,
) -> None:
    ground = Ground(SETTINGS, print, outside=OutsideTarget(server.url))

    outcome = recovery(ground, packaged("recovery"))

    told = verdicts(outcome)
    assert told.pop("recovery-idle") is Verdict.PASS, outcome.verdicts
    assert set(told.values()) == {Verdict.SKIPPED}
    assert [item.summary for item in outcome.verdicts if item.probe == "nothing-lost"] == [
        "no [tool.harness.write] says what to write, and how to find it again"
    ]


def test_without_a_server_the_load_still_stops_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES", raising=False)
    project = load_project(write_shop(tmp_path, postgres="sqlite"))

    with campaign_ground(project, SETTINGS, step=print, detail=print) as ground:
        outcome = held(ground, "recovery-idle", "recovery-killed")

    assert verdicts(outcome) == {
        "recovery-idle": Verdict.PASS,
        "recovery-killed": Verdict.SKIPPED,
        "nothing-lost": Verdict.SKIPPED,
    }, outcome.verdicts
