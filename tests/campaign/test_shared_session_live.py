"""One session for all requests of a real application is the cause, and not called a leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.ground import Ground
from harness.campaign.probes.browse import browse
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


@pytest.fixture
def project(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """The reference application with its load faults."""
    text = _PROJECT.format(root=pytestconfig.rootpath)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("place", "is_found"), [("faults", True), ("twins", False)])
def test_a_session_of_all_requests_is_told_apart_from_one_of_each(
    project: Path, pytestconfig: pytest.Config, *, place: str, is_found: bool
) -> None:
    path = f"/{place}/shared-session/global"
    settings = Settings(is_short=True, seconds=3, plan=((f"GET {path}", f"{path}?milliseconds=5"),))
    root = str(pytestconfig.rootpath)
    with rig_process(environment={**own_server(), "PYTHONPATH": root}) as rig:
        ground = Ground(settings, lambda _: None, rig=rig, started=rig.start(project))
        outcome = browse(ground, packaged("browse"))

    told = outcome.classification
    assert told is not None
    assert (told.cause == "shared-session") is is_found, told.reason
    of_sharing = [item for item in outcome.findings if item.kind == "shared-session"]
    assert [item.anchor for item in of_sharing] == ([f"GET {path}"] if is_found else [])
    answers = {answer.verdict.probe: answer for answer in told.answers}
    assert not answers["leak"].is_explanation
    expected = Verdict.FAIL if is_found else Verdict.PASS
    assert answers["shared-session"].verdict.verdict is expected
