"""The faulty route is found and its twin is left alone, whoever counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.n_plus_one import n_plus_one
from harness.campaign.scenario import Scenario, Settings
from harness.findings import Verdict
from harness.rig.client import rig_process
from tests.campaign.echoing_shop import EchoingShop, echoing_shop, write_traffic

pytestmark = pytest.mark.group("served")

LAZY = "GET /faults/n-plus-one/authors"
_OF_TARGET_APP = """
from locust import constant, task
from harness.load.users import HarnessUser

class FaultAndTwin(HarnessUser):
    probe = "n_plus_one"
    wait_time = constant(0.01)

    @task
    def fault(self) -> None:
        self.get("/faults/n-plus-one/authors?limit={size}", size=self.page_size)

    @task
    def twin(self) -> None:
        self.get("/twins/n-plus-one/authors?limit={size}", size=self.page_size)
"""


def held(folder: Path, shop: EchoingShop) -> Outcome:
    """The probe on an application that somebody else has started, and that has but a log."""
    settings = Settings(host=shop.url, seconds=1.0, count_by="echo", echo_log=shop.log)
    ground = Ground(settings, lambda _: None, outside=OutsideTarget(shop.url))
    return n_plus_one(ground, Scenario("n_plus_one", write_traffic(folder)))


def evidence(outcome: Outcome) -> dict[str, str]:
    """Of the one finding."""
    (finding,) = outcome.findings
    return dict(finding.evidence)


def test_the_echo_log_of_a_plain_uvicorn_finds_the_fault_and_counts_as_events_do(
    tmp_path: Path,
) -> None:
    with echoing_shop(tmp_path, "echo") as shop:
        outcome = held(tmp_path, shop)
        by_events = shop.by_events()

    (verdict,) = outcome.verdicts
    assert verdict.verdict is Verdict.FAIL
    # One finding: the twin, which was requested as often, has none.
    (finding,) = outcome.findings
    assert finding.identity == "query-growth statements @ GET /lazy"
    assert "FROM posts" in evidence(outcome)["statement"]
    assert evidence(outcome)["items returned"] == "2, 5, 10"
    counted = ", ".join(f"{by_events[f'/lazy?limit={size}']:g}" for size in (2, 5, 10))
    assert evidence(outcome)["statements per request"] == counted == "3, 6, 11"
    assert {by_events[f"/eager?limit={size}"] for size in (2, 5, 10)} == {2}


def test_a_log_without_the_echo_is_inconclusive_and_never_zero(tmp_path: Path) -> None:
    with echoing_shop(tmp_path, "silent") as shop:
        outcome = held(tmp_path, shop)

    (verdict,) = outcome.verdicts
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "no line of SQLAlchemy's echo" in verdict.summary


@pytest.fixture(scope="module")
def ground(pytestconfig: pytest.Config) -> Iterator[Ground]:
    """The reference application's, on a server of its own."""
    environment = {"HARNESS_POSTGRES": "embedded"} if "HARNESS_POSTGRES" in os.environ else {}
    with rig_process(environment=environment) as rig:
        started = rig.start(pytestconfig.rootpath)
        yield Ground(Settings(seconds=1.0), lambda _: None, rig=rig, started=started)


def test_a_fault_of_the_reference_application_is_found_while_its_rows_grow(
    ground: Ground, tmp_path: Path
) -> None:
    file = tmp_path / "readers.py"
    file.write_text(_OF_TARGET_APP, encoding="utf-8")

    outcome = n_plus_one(ground, Scenario("n_plus_one", file))

    (finding,) = outcome.findings
    assert finding.anchor == LAZY
    assert finding.site is not None
    assert finding.site.path == "target_app/faults/n_plus_one.py"
    assert evidence(outcome)["statements per request"] == "3, 6, 11"
    assert evidence(outcome)["items returned"] == "2, 5, 10"
    # What was added went with the copy: the next probe finds the rows that there were.
    assert ground.required_rig("to look").rows("SELECT count(*) FROM users") == 10
