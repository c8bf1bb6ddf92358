"""The finding behind a recommendation that no size is right."""

from __future__ import annotations

import pytest

from harness.checks.load.bounds import Bounds
from harness.checks.load.fleet import Fleet
from harness.checks.load.no_pool_size import unreached
from harness.checks.load.recommended import Obstacle, Recommendation
from harness.findings import Severity, Verdict

TOLD = "no pool size reaches 9000 requests a second"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE])
def test_a_recommendation_that_is_one_is_no_finding(verdict: Verdict) -> None:
    assert unreached(Recommendation(verdict, TOLD)) is None


def test_where_processes_are_missing_their_number_is_the_fix() -> None:
    finding = unreached(
        Recommendation(
            Verdict.FAIL,
            TOLD,
            processes_needed=5,
            bounds=Bounds(0.01, 0.0005),
            obstacle=Obstacle.CPU,
        )
    )

    assert finding is not None
    assert (finding.title, finding.severity) == (TOLD, Severity.ERROR)
    assert finding.fix.startswith("run at least 5 processes")
    assert dict(finding.evidence)["CPU for one request"] == "0.5 ms"


def test_where_the_database_is_the_limit_its_statements_are() -> None:
    finding = unreached(Recommendation(Verdict.FAIL, TOLD, knee=4, obstacle=Obstacle.DATABASE))

    assert finding is not None
    assert "cheaper" in finding.fix


def test_where_the_server_has_no_room_the_fleet_is_the_evidence() -> None:
    fleet = Fleet(max_connections=20, processes=8, replicas=4)

    finding = unreached(Recommendation(Verdict.FAIL, TOLD, fleet=fleet, obstacle=Obstacle.ROOM))

    assert finding is not None
    assert "pooler" in finding.fix
    assert dict(finding.evidence)["server"] == str(fleet)
    assert finding.identity == "no-pool-size room @ the whole application"
