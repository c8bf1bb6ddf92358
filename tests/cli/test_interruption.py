"""Nothing that was started outlives the command, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from tests.processes import TAG, await_nothing_left, await_step, started, traces

_PATIENCE_SECONDS = 60.0
# CPython dies of the signal itself where the interrupt passed through an `exec` on its way up.
_INTERRUPTED = {130, -signal.SIGINT}

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def _checkup(
    tag: str, output: Path, root: Path, unmeasured_environment: Mapping[str, str]
) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(
        [sys.executable, "-m", "harness", "checkup", "--output", str(output)],
        folder=root,
        environment={**unmeasured_environment, TAG: tag},
    )


def _server_folder(owner: int) -> Path:
    """The folder of the PostgreSQL that a process owns: it holds a pipe in it open."""
    for link in Path(f"/proc/{owner}/fd").iterdir():
        with suppress(OSError):
            target = link.readlink()
            if target.parent.name.startswith("harness-pg-"):
                return target.parent
    pytest.fail("the process owns no server")


def _left(tag: str, server_folder: Path) -> list[str]:
    left = await_nothing_left(tag, server_folder)
    return left + ([str(server_folder)] if server_folder.exists() else [])


@pytest.mark.parametrize("step", ["Preparing a database", "Steady load", "Running a small pool"])
def test_ctrl_c_stops_everything_and_says_so(
    step: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    unmeasured_environment: Mapping[str, str],
) -> None:
    tag = f"{os.getpid()}-int-{step}"
    with _checkup(tag, tmp_path, pytestconfig.rootpath, unmeasured_environment) as process:
        await_step(process, step)
        server_folder = _server_folder(process.pid)

        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=_PATIENCE_SECONDS)

        assert process.returncode in _INTERRUPTED, output + errors
        assert "interrupted; everything that was started is stopped" in errors
        assert "Traceback" not in errors
        assert _left(tag, server_folder) == []


@pytest.mark.parametrize("step", ["Preparing a database", "Steady load", "Running a small pool"])
def test_kill_9_leaves_no_process_behind(
    step: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    unmeasured_environment: Mapping[str, str],
) -> None:
    tag = f"{os.getpid()}-kill-{step}"
    with _checkup(tag, tmp_path, pytestconfig.rootpath, unmeasured_environment) as process:
        await_step(process, step)
        server_folder = _server_folder(process.pid)
        assert any("postgres" in command for command in traces(tag, server_folder))

        process.kill()
        process.wait()

        assert _left(tag, server_folder) == []


def test_kill_9_of_a_test_run_leaves_no_process_behind(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    tag, root = f"{os.getpid()}-pytest", pytestconfig.rootpath
    test_file = tmp_path / "test_wait.py"
    test_file.write_text(
        "import time\n"
        "def test_wait(database_url):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n",
        encoding="utf-8",
    )
    options = ("-s", "--rootdir", str(root), "-c", str(root / "pyproject.toml"))
    command = [sys.executable, "-m", "pytest", *options, str(test_file)]
    environment = {**os.environ, TAG: tag}
    with started(command, folder=root, environment=environment) as process:
        await_step(process, "ready")
        server_folder = _server_folder(process.pid)
        assert any("postgres" in command for command in traces(tag, server_folder))

        process.kill()
        process.wait()

        assert _left(tag, server_folder) == []
