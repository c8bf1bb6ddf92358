"""Nothing that was started outlives the command, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_WITHIN_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_TAG = "HARNESS_TEST_TAG"
# CPython dies of the signal itself where the interrupt passed through an `exec` on its way up.
_INTERRUPTED = {130, -signal.SIGINT}

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@contextmanager
def _checkup(
    tag: str, output: Path, root: Path, unmeasured_environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "checkup", "--output", str(output)],
        cwd=root,
        env={**unmeasured_environment, _TAG: tag},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _await_step(process: subprocess.Popen[str], step: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if step in line:
            return
    pytest.fail(f"the checkup ended before {step!r}")


def _traces(tag: str, server_folder: Path | None) -> list[str]:
    """What is left of a run: processes that inherited the tag, and its PostgreSQL.

    The server runs with an environment of its own; its command line names its folder.
    """
    marks = [f"{_TAG}={tag}"] + ([str(server_folder)] if server_folder else [])
    left = [
        command
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and folder.name != str(os.getpid())
        if (command := _command_of(folder, marks))
    ]
    return left + ([str(server_folder)] if server_folder and server_folder.exists() else [])


def _command_of(process: Path, marks: list[str]) -> str:
    try:
        command = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        environment = process.joinpath("environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # ended meanwhile
    return command if any(mark in command + environment for mark in marks) else ""


def _server_folder(owner: int) -> Path:
    """The folder of the PostgreSQL that a process owns: it holds a pipe in it open."""
    for link in Path(f"/proc/{owner}/fd").iterdir():
        with suppress(OSError):
            target = link.readlink()
            if target.parent.name.startswith("harness-pg-"):
                return target.parent
    pytest.fail("the process owns no server")


def _await_nothing_left(tag: str, server_folder: Path | None) -> list[str]:
    until = time.monotonic() + _WITHIN_SECONDS
    while (left := _traces(tag, server_folder)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


@pytest.mark.parametrize("step", ["Preparing a database", "Steady load", "Running a small pool"])
def test_ctrl_c_stops_everything_and_says_so(
    step: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    unmeasured_environment: Mapping[str, str],
) -> None:
    tag = f"{os.getpid()}-int-{step}"
    with _checkup(tag, tmp_path, pytestconfig.rootpath, unmeasured_environment) as process:
        _await_step(process, step)
        server_folder = _server_folder(process.pid)

        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=_PATIENCE_SECONDS)

        assert process.returncode in _INTERRUPTED, output + errors
        assert "interrupted; everything that was started is stopped" in errors
        assert "Traceback" not in errors
        assert _await_nothing_left(tag, server_folder) == []


@pytest.mark.parametrize("step", ["Preparing a database", "Steady load", "Running a small pool"])
def test_kill_9_leaves_no_process_behind(
    step: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    unmeasured_environment: Mapping[str, str],
) -> None:
    tag = f"{os.getpid()}-kill-{step}"
    with _checkup(tag, tmp_path, pytestconfig.rootpath, unmeasured_environment) as process:
        _await_step(process, step)
        server_folder = _server_folder(process.pid)
        assert any("postgres" in command for command in _traces(tag, server_folder))

        process.kill()
        process.wait()

        assert _await_nothing_left(tag, server_folder) == []


def test_kill_9_of_a_test_run_leaves_no_process_behind(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    tag = f"{os.getpid()}-pytest"
    test_file = tmp_path / "test_wait.py"
    test_file.write_text(
        "import time\n"
        "def test_wait(database_url):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-s",
            "--rootdir",
            str(pytestconfig.rootpath),
            "-c",
            str(pytestconfig.rootpath / "pyproject.toml"),
            str(test_file),
        ],
        cwd=pytestconfig.rootpath,
        env={**os.environ, _TAG: tag},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        _await_step(process, "ready")
        server_folder = _server_folder(process.pid)
        assert any("postgres" in command for command in _traces(tag, server_folder))

        process.kill()
        process.wait()

        assert _await_nothing_left(tag, server_folder) == []
