"""Nothing that a rig has started outlives its driver, however and whenever that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.processes import TAG, await_nothing_left, await_step, own_folder, started, traces

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

# What drives a rig; says each step on a line, and goes on with the next one at once.
_DRIVER = """
import sys
from pathlib import Path
from harness.rig.client import rig_process

with rig_process(progress=lambda step: print("progress", step, flush=True)) as rig:
    print("rig", rig.process.pid, flush=True)
    rig.start(Path(sys.argv[1]))
    rig.serve(workers=2, is_proxied=True)
    rig.begin_window()
    print("window", flush=True)
    with rig.trouble("connections-taken"), rig.trouble("server-stopped"):
        print("trouble", flush=True)
        sys.stdin.read()
"""


def driver(tag: str, project: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(
        [sys.executable, "-c", _DRIVER, str(project)],
        environment={**os.environ, TAG: tag, "TMPDIR": str(project / "tmp")},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def own_project(project: Path, tmp_path: Path) -> Path:
    """A copy whose name is the test's alone: servers are known by the folder of their data."""
    own_folder(tmp_path)
    for file in project.glob("*.*"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    return tmp_path


STEPS = ["rig", "preparing a database", "serving with", "window", "trouble"]


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_of_the_driver_leaves_nothing(step: str, own_project: Path) -> None:
    tag = f"{os.getpid()}-rig-kill-{step}"
    with driver(tag, own_project) as process:
        await_step(process, step)
        assert traces(tag, own_project / "tmp")

        process.kill()
        process.wait()

        assert await_nothing_left(tag, own_project / "tmp") == []


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_leaves_nothing(step: str, own_project: Path) -> None:
    tag = f"{os.getpid()}-rig-int-{step}"
    with driver(tag, own_project) as process:
        await_step(process, step)

        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)

        assert await_nothing_left(tag, own_project / "tmp") == []


def test_kill_9_of_the_rig_leaves_nothing(own_project: Path) -> None:
    tag = f"{os.getpid()}-rig-itself"
    with driver(tag, own_project) as process:
        assert process.stdout is not None
        rig = int(process.stdout.readline().split()[1])
        await_step(process, "window")

        os.kill(rig, signal.SIGKILL)
        process.wait(60)

        assert process.returncode == 1
        assert await_nothing_left(tag, own_project / "tmp") == []


def test_a_rig_without_an_owner_ends_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "harness.rig"], stdin=subprocess.DEVNULL, timeout=60, check=False
    )

    assert ended.returncode == 0


def answers_to(*lines: str) -> list[dict[str, object]]:
    """What the rig says to these lines, and to the end of its input."""
    ended = subprocess.run(
        [sys.executable, "-m", "harness.rig"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_what_is_no_command_is_refused_with_those_that_there_are() -> None:
    (answer,) = answers_to(
        '{"number": 1, "command": "explode"}', '{"number": 2, "command": "quit"}'
    )

    error = answer["error"]
    assert isinstance(error, dict)
    assert (answer["number"], error["slug"], error["exit_code"]) == (1, "misuse", 2)
    assert "'explode'" in error["message"]
    assert "begin_window" in error["message"]


def test_what_is_no_json_is_refused() -> None:
    (answer,) = answers_to("start", '{"number": 2, "command": "quit"}')

    error = answer["error"]
    assert isinstance(error, dict)
    assert (answer["number"], error["slug"]) == (0, "rig")


def test_arguments_that_a_command_does_not_have_are_misuse() -> None:
    (answer,) = answers_to('{"number": 1, "command": "rows", "arguments": {"query": ""}}')

    error = answer["error"]
    assert isinstance(error, dict)
    assert error["slug"] == "misuse"
    assert "'rows'" in error["message"]
