"""Ctrl-C in the midst of a trouble: no server, no proxy, no application and no Locust stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.campaign.shop_project import write_shop
from tests.processes import TAG, await_nothing_left, own_folder, started
from tests.rig.conftest import own_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

_PATIENCE_SECONDS = 30.0
# Holds a trouble that can be caught in its middle: the server is away for a second and a half.
_DRIVER = """
import sys
from harness.campaign.conduct import campaign_ground
from harness.campaign.recovering.holding import Holding
from harness.campaign.recovering.plan import Trouble, form_of
from harness.campaign.recovering.writes import opened_ledger
from harness.campaign.scenario import Settings, packaged
from harness.config import load_project

settings = Settings(users=2, seconds=10.0, plan=(("GET /notes", "/notes"),))
away = Trouble("recovery-restart", "away", "server-stopped", "", is_lasting=True)
with campaign_ground(load_project(), settings, step=print, detail=print) as ground:
    ground.serve(is_proxied=True)
    holding = Holding(ground, packaged("recovery"), form_of(settings), opened_ledger(ground))
    print("server", ground.started.server_pid, flush=True)
    holding.trouble(away)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    own_folder(tmp_path)
    return write_shop(tmp_path)


@pytest.fixture
def driver(
    project: Path, unmeasured_environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with started(
        [sys.executable, "-c", _DRIVER],
        folder=project,
        environment={
            **unmeasured_environment,
            **own_server(),
            TAG: _tag(),
            "TMPDIR": str(project / "tmp"),
            "PYTHONPATH": str(project),
        },
        stderr=subprocess.STDOUT,
    ) as process:
        yield process


def _tag() -> str:
    return f"{os.getpid()}-recovery"


def _await_end(process: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while process.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_ctrl_c_while_the_server_is_away_leaves_nothing(
    driver: subprocess.Popen[str], project: Path
) -> None:
    assert driver.stdout is not None
    server = next(line for line in driver.stdout if line.startswith("server "))
    process = Path("/proc", server.split()[1])
    arguments = process.joinpath("cmdline").read_text("utf-8").split("\0")
    data = Path(arguments[arguments.index("-D") + 1])
    _await_end(process)
    assert data.is_dir()

    os.killpg(driver.pid, signal.SIGINT)
    said, _ = driver.communicate(timeout=60)

    assert await_nothing_left(_tag(), project / "tmp") == []
    assert not data.exists()
    assert driver.returncode == -signal.SIGINT, said
    assert said.rstrip().endswith("KeyboardInterrupt")
