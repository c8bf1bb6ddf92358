"""The probes of clients that leave and of slow readers, on faults of a real application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.probes.disconnect import disconnect
from harness.campaign.probes.soak import soak
from harness.campaign.probes.streaming import streaming
from harness.campaign.scenario import Settings, packaged
from harness.findings import Verdict
from harness.rig.client import rig_process
from tests.rig.conftest import own_server

_PROJECT = """
[tool.harness]
app = "target_app.main:create_app"
alembic = "{root}/target_app/alembic.ini"

[tool.harness.env]
TARGET_APP_DATABASE_URL = "{{async_url}}"
TARGET_APP_LOAD_FAULTS = "true"
TARGET_APP_POOL_TIMEOUT = "0.3"
"""
Stand = Callable[..., Ground]


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Ground]:
    """The reference application with its load faults, which a rig serves."""
    root, folder = pytestconfig.rootpath, tmp_path_factory.mktemp("faults")
    (folder / "pyproject.toml").write_text(_PROJECT.format(root=root), encoding="utf-8")
    with rig_process(environment={**own_server(), "PYTHONPATH": str(root)}) as rig:
        settings = Settings(is_short=True)
        yield Ground(settings, lambda _: None, rig=rig, started=rig.start(Path(folder)))


@pytest.fixture
def stand(ground: Ground) -> Stand:
    """The ground for one path, with what else is said."""

    def on(path: str, *, seconds: float, query: str = "") -> Ground:
        plan = ((f"GET {path}", f"{path}{query}"),)
        settings = Settings(is_short=True, seconds=seconds, plan=plan)
        return replace(ground, settings=settings)

    return on


def test_statements_that_outlive_their_clients_are_told(stand: Stand) -> None:
    ground = stand("/faults/runaway-query/sleep", query="?milliseconds=3000", seconds=4)

    outcome = disconnect(ground, packaged("disconnect"))

    (verdict,), (finding,) = outcome.verdicts, outcome.findings
    assert (verdict.probe, verdict.verdict) == ("disconnect", Verdict.WARN)
    route = "GET /faults/runaway-query/sleep"
    assert finding.identity == f"connection-after-client statement @ {route}"


def test_statements_that_are_limited_end_with_their_clients(stand: Stand) -> None:
    ground = stand("/twins/runaway-query/sleep", query="?milliseconds=200", seconds=2)

    outcome = disconnect(ground, packaged("disconnect"))

    (verdict,) = outcome.verdicts
    assert (verdict.verdict, outcome.findings) == (Verdict.PASS, ()), verdict.summary
    assert [phase.name for phase in outcome.phases] == ["disconnect", "after disconnect"]
    # One number of clients that left, wherever it is told.
    assert verdict.summary.startswith(f"{outcome.phases[0].note};")


def test_a_stream_that_holds_its_session_starves_others(stand: Stand) -> None:
    path = "/faults/held-connection/stream"
    ground = stand(path, query="?lines=20&milliseconds=100", seconds=3)

    outcome = streaming(ground, packaged("streaming"))

    (verdict,), (finding,) = outcome.verdicts, outcome.findings
    assert (verdict.probe, verdict.verdict) == ("streaming", Verdict.FAIL)
    assert finding.identity == f"held-connection stream @ GET {path}"
    assert finding.site is not None
    assert finding.site.function == "stream_inside_the_session"
    evidence = dict(finding.evidence)
    assert (evidence["readers"], evidence["connections"]) == ("6", "2")


def test_a_stream_that_has_ended_its_session_starves_nobody(stand: Stand) -> None:
    path = "/twins/held-connection/stream"
    ground = stand(path, query="?lines=20&milliseconds=100", seconds=3)

    outcome = streaming(ground, packaged("streaming"))

    (verdict,) = outcome.verdicts
    assert (verdict.verdict, outcome.findings) == (Verdict.PASS, ()), verdict.summary


def test_an_application_that_streams_nothing_is_not_tried(stand: Stand) -> None:
    with pytest.raises(NotOursError, match="no route of the plan streams"):
        streaming(stand("/tags", seconds=1), packaged("streaming"))


def test_a_soak_counts_the_connections_that_stay_out(stand: Stand) -> None:
    ground = stand("/faults/leak/never-closed", seconds=5)

    outcome = soak(ground, packaged("soak"))

    counts, _ = outcome.verdicts
    assert (counts.probe, counts.verdict) == ("soak", Verdict.FAIL)
    leaks = [finding for finding in outcome.findings if finding.kind == "connection-leak"]
    assert [finding.anchor for finding in leaks] == ["GET /faults/leak/never-closed"]
    (after,) = (value for name, value in leaks[0].evidence if "after each stretch" in name)
    assert after.split(", ")[-1] == "10"


def test_a_soak_without_a_leak_passes(stand: Stand) -> None:
    outcome = soak(stand("/twins/leak/never-closed", seconds=5), packaged("soak"))

    counts, times = outcome.verdicts
    assert (counts.verdict, outcome.findings) == (Verdict.PASS, ()), counts.summary
    assert times.verdict is Verdict.SKIPPED
    (phase,) = outcome.phases
    assert len(phase.windows) == 5
