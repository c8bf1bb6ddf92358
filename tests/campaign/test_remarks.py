"""What a campaign adds to the answers of its probes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.conduct import Campaign, campaign_ground
from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.remarks import on_empty_tables, with_caveat, with_exception
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.checks.load.recommended import Recommendation
from harness.config import load_project
from harness.findings import ProbeVerdict, Verdict
from tests.campaign.simulated import simulated

PASSED = ProbeVerdict("limit", Verdict.PASS, "nothing is slow")
FAILED = ProbeVerdict("load", Verdict.FAIL, "9 of 9 failed")
UNDECIDED = ProbeVerdict("slow-requests", Verdict.INCONCLUSIVE, "9 of 9 answers were not 2xx")
_CONFIGURATION = """
[tool.harness]
app = "unreachable_shop:app"
metadata = "unreachable_shop:metadata"
postgres = "sqlite"
env = { SHOP_URL = "{url}" }
"""
_APPLICATION = """
from fastapi import FastAPI
from sqlalchemy import Column, Integer, MetaData, Table, text
from sqlalchemy.ext.asyncio import create_async_engine

metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True))
app = FastAPI()


@app.get("/notes")
async def count():
    raise RuntimeError("cannot reach postgresql://me:secret@db/shop")
"""


def test_only_the_first_bad_verdict_says_what_was_raised() -> None:
    told = with_exception(Outcome((PASSED, FAILED, UNDECIDED)), "KeyError: 'x'")

    summary = "9 of 9 failed; the application raised KeyError: 'x'"
    assert told.verdicts == (PASSED, ProbeVerdict("load", Verdict.FAIL, summary), UNDECIDED)


@pytest.mark.parametrize(
    ("verdict", "raised"), [(PASSED, "KeyError: 'x'"), (FAILED, "")], ids=["pass", "no log"]
)
def test_where_nothing_is_wrong_or_known_nothing_is_added(
    verdict: ProbeVerdict, raised: str
) -> None:
    assert with_exception(Outcome((verdict,)), raised) == Outcome((verdict,))


def test_a_pool_size_from_empty_tables_has_its_reservation_in_the_verdict() -> None:
    size = ProbeVerdict("pool-size", Verdict.PASS, "pool_size=2")
    recommended = Recommendation(size.verdict, size.summary, pool_size=2)

    told = with_caveat(Outcome((PASSED, size), recommendation=recommended))

    assert told.verdicts[0] == PASSED
    assert told.verdicts[1].verdict is Verdict.WARN
    assert told.verdicts[1].summary == "pool_size=2; measured on tables without a row"
    assert told.recommendation is not None
    assert told.recommendation.summary == told.verdicts[1].summary


def test_an_answer_without_a_pool_size_stays_as_it_is() -> None:
    assert with_caveat(Outcome((PASSED,))) == Outcome((PASSED,))


def test_nothing_is_said_of_tables_where_there_were_rows() -> None:
    assert list(on_empty_tables(simulated())) == []


def test_a_campaign_says_once_which_probes_were_held_on_empty_tables() -> None:
    ground = simulated()
    ground.empty_tables = {"browse": 3, "soak": 3}

    (outcome,) = on_empty_tables(ground)

    assert outcome.verdicts[0].summary == (
        "none of 3 tables has a row: browse and soak were held on an empty database"
    )
    assert [finding.kind for finding in outcome.findings] == ["empty-tables"]


@pytest.mark.parametrize(("probe", "is_told"), [("browse", True), ("exhaustion", False)])
def test_a_probe_that_brings_errors_about_is_not_explained_by_them(
    probe: str, *, is_told: bool
) -> None:
    def failing(ground: Ground, _scenario: Scenario) -> Outcome:
        ground.raised = "KeyError: 'x'"
        return Outcome((FAILED,))

    ground = simulated()
    project = load_project(Path(__file__).parent)
    held = Campaign(project, ground, [Scenario(probe, Path("x.py"))], {probe: failing})

    held.run()

    assert held.outcomes[probe].verdicts[0].summary.endswith("raised KeyError: 'x'") is is_told


def test_what_the_served_application_raises_and_that_it_has_no_rows_is_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES", raising=False)
    (tmp_path / "pyproject.toml").write_text(_CONFIGURATION, "utf-8")
    (tmp_path / "unreachable_shop.py").write_text(_APPLICATION, "utf-8")
    project = load_project(tmp_path)
    settings = Settings(users=1, seconds=1.0)

    with campaign_ground(project, settings, step=print, detail=print) as ground:
        held = Campaign(project, ground, [packaged("browse")])
        held.run()
    told = {item.probe: item for item in held.report().probes}

    raised = "; the application raised RuntimeError: cannot reach postgresql://me:***@db/shop"
    assert told["load"].summary.endswith(raised)
    assert told["rows"].summary == "the only table has no row: browse was held on an empty database"
