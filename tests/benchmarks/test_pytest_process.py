"""How a benchmark runs pytest: what it loads, and what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.pytest_process import Failed, PytestRun, run_pytest

INTERRUPTED = """
import sys
from benchmarks import pytest_process
from benchmarks.pytest_process import PytestRun, run_pytest

run_pytest(PytestRun(sys.argv[1], environment={"STARTED": sys.argv[2], "GONE": sys.argv[3]}))
"""
WAITING = """
import os, pathlib, signal

def test_that_waits():
    pathlib.Path(os.environ["STARTED"]).write_text("")
    try:
        signal.pause()
    finally:
        pathlib.Path(os.environ["GONE"]).touch()
"""


def module(folder: Path, source: str) -> str:
    file = folder / "measured.py"
    file.write_text(source, encoding="utf-8")
    return str(file)


def test_a_run_that_fails_is_no_measurement(tmp_path: Path) -> None:
    run = PytestRun(module(tmp_path, "def test_it():\n    assert 1 == 2\n"))

    with pytest.raises(Failed, match=r"ended with 1:[\s\S]*assert 1 == 2"):
        run_pytest(run)


def test_only_the_named_plugins_are_loaded(tmp_path: Path) -> None:
    source = """
def test_plugins(pytestconfig):
    manager = pytestconfig.pluginmanager
    assert manager.hasplugin("asyncio")
    assert not manager.hasplugin("harness")
    assert not manager.hasplugin("xdist")
"""

    seconds = run_pytest(PytestRun(module(tmp_path, source), installed=("asyncio",)))

    assert seconds > 0


def test_settings_of_this_machine_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_ISOLATION", "clone")
    source = "import os\n\ndef test_it():\n    assert 'HARNESS_ISOLATION' not in os.environ\n"

    seconds = run_pytest(PytestRun(module(tmp_path, source)))

    assert seconds > 0


def test_whoever_is_interrupted_interrupts_its_pytest(
    tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    started, gone = tmp_path / "started", tmp_path / "gone"
    os.mkfifo(started)
    file = module(tmp_path, WAITING)
    command = [sys.executable, "-c", INTERRUPTED, file, str(started), str(gone)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=unmeasured_environment) as process:
        started.read_text(encoding="utf-8")  # until the test has opened the other end

        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()

    assert gone.exists()


def test_a_plugin_beside_the_named_one_is_not_loaded(tmp_path: Path) -> None:
    for name in ("wanted", "other"):
        (tmp_path / f"{name}_plugin.py").touch()
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="utf-8")
        points = f"[pytest11]\n{name} = {name}_plugin\n"
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
    source = """
def test_plugins(pytestconfig):
    manager = pytestconfig.pluginmanager
    assert manager.hasplugin("wanted")
    assert not manager.hasplugin("other")
"""

    seconds = run_pytest(
        PytestRun(module(tmp_path, source), installed=("wanted",), extra_paths=(tmp_path,))
    )

    assert seconds > 0
