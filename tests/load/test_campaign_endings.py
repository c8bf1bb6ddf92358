"""Ctrl-C while a probe is held on an application of our own: it tells, and nothing stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from tests.processes import TAG, await_nothing_left, await_step, own_folder, started
from tests.rig.conftest import own_server
from tests.rig.projects import write_project

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

# A route that tells on the disk when the warm-up is long over.
_ROUTE = """
seen = []


@app.get("/seen")
async def seen_so_far():
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(0.005)"))
    seen.append(1)
    if len(seen) == 200:
        open("loaded", "w").close()
"""
_PATIENCE_SECONDS = 60.0

Loading = Callable[..., AbstractContextManager[subprocess.Popen[str]]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Of the test's own: servers are known by the folder of their data."""
    own_folder(tmp_path)
    (tmp_path / "plan.json").write_text('[["GET /seen", "/seen"]]', "utf-8")
    write_project(tmp_path)
    with (tmp_path / "rigged_shop.py").open("a", encoding="utf-8") as application:
        application.write(_ROUTE)
    return tmp_path


@pytest.fixture
def loading(project: Path, unmeasured_environment: Mapping[str, str]) -> Loading:
    """Starts a load on the project: a minute of it, or less where it shall come to its end."""

    def start(tag: str, seconds: str = "60s") -> AbstractContextManager[subprocess.Popen[str]]:
        options = ("--plan", "plan.json", "--users", "2", "--time", seconds)
        return started(
            [sys.executable, "-m", "harness", "load", "browse", *options],
            folder=project,
            environment={
                **unmeasured_environment,
                **own_server(),
                TAG: tag,
                "TMPDIR": str(project / "tmp"),
            },
            stderr=subprocess.STDOUT,
        )

    return start


def ended(process: subprocess.Popen[str]) -> str:
    """What it says when Ctrl-C reaches all processes of its terminal."""
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    return said


def test_ctrl_c_while_it_starts(loading: Loading, project: Path) -> None:
    tag = f"{os.getpid()}-load-start"
    with loading(tag) as process:
        await_step(process, "starting a database")
        said = ended(process)

        assert process.returncode == 130, said
        assert await_nothing_left(tag, project / "tmp") == []
    assert "interrupted; everything that was started is stopped" in said
    assert "Traceback" not in said


def test_ctrl_c_during_the_load_tells_what_was_counted(loading: Loading, project: Path) -> None:
    tag = f"{os.getpid()}-load-int"
    with loading(tag) as process:
        await_step(process, "2 users browse for 60 s")
        await_load(project)
        said = ended(process)

        assert process.returncode == 130, said
        assert await_nothing_left(tag, project / "tmp") == []
    assert "interrupted before it had an answer" in said
    assert "Traceback" not in said
    report = json.loads((project / "harness-report/load.json").read_text("utf-8"))
    (window,) = report["phases"][0]["windows"]
    assert window["client"]["requests"] > 0
    assert window["routes"][0]["requests"] > 0


def test_ctrl_c_while_the_report_is_told(loading: Loading, project: Path) -> None:
    tag = f"{os.getpid()}-load-report"
    with loading(tag, "2s") as process:
        await_step(process, "PHASES")
        said = ended(process)

        assert process.returncode == 130, said
        assert await_nothing_left(tag, project / "tmp") == []
    assert "Traceback" not in said


def test_what_is_known_is_told_when_the_rig_is_gone(loading: Loading, project: Path) -> None:
    tag = f"{os.getpid()}-load-rig"
    with loading(tag, "5s") as process:
        await_step(process, "2 users browse for 5 s")
        await_load(project)
        (rig,) = (
            child
            for child in psutil.Process(process.pid).children()
            if "harness.rig" in child.cmdline()
        )

        rig.kill()
        said, _ = process.communicate(timeout=120)

        assert process.returncode == 3, said
        assert await_nothing_left(tag, project / "tmp") == []
    assert "inconclusive" in said
    assert "the rig has ended (exit code -9)" in said


def await_load(project: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not (project / "loaded").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
