"""A reader that leaves, a folder that goes away: the exit code stays that of the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.load.conftest import CountingServer

RunLoading = Callable[..., tuple[int, str, str]]

_LOG = "INFO sqlalchemy.engine.Engine SELECT 1\nINFO sqlalchemy.engine.Engine [raw sql] ()\n"


def _ended(*arguments: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Its exit code and errors, where nobody reads its output."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        env={**environment, "HARNESS_TOKEN": "", "HARNESS_APP": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        return process.wait(timeout=60), errors


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(("limit", "code"), [("5", 0), ("0", 1)])
def test_an_answer_that_nobody_reads_has_its_exit_code(
    form: list[str],
    limit: str,
    code: int,
    tmp_path: Path,
    unmeasured_environment: Mapping[str, str],
) -> None:
    (tmp_path / "app.log").write_text(_LOG, encoding="utf-8")

    ended = _ended(
        *("echo", "app.log", "--max-statements", limit, *form),
        folder=tmp_path,
        environment=unmeasured_environment,
    )

    assert ended == (code, "")


def test_streams_that_outlive_their_readers_already_are_left_alone() -> None:
    """The one that another takes the place of would close what both write to."""
    program = (
        "from harness.unread import outlive_readers\n"
        "outlive_readers()\n"
        "outlive_readers()\n"
        "print('told')\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.stdout, ended.stderr) == ("told\n", "")


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["load", "--help"], 0),
        (["load", "--list"], 0),
        (["lock", "diff", "--help"], 0),
        (["serve", "--no-such-option"], 2),
        (["lock", "check", "no-such-file"], 2),
    ],
    ids=["help", "version", "help of load", "list", "help of diff", "an option", "no file"],
)
def test_what_is_said_without_work_has_its_exit_code_where_nobody_reads_any_of_it(
    arguments: list[str],
    code: int,
    unbuffered: str,
    unread: int,
    unmeasured_environment: Mapping[str, str],
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env={**unmeasured_environment, "PYTHONUNBUFFERED": unbuffered},
        stdout=unread,
        stderr=unread,
        timeout=60,
        check=False,
    )

    assert ended.returncode == code


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_load_report_that_nobody_reads_is_in_its_files(
    form: list[str],
    server: CountingServer,
    tmp_path: Path,
    unmeasured_environment: Mapping[str, str],
) -> None:
    code, _ = _ended(
        *("load", "browse", "--host", server.url, "--users", "1", "--time", "1s", *form),
        folder=tmp_path,
        environment=unmeasured_environment,
    )

    assert code == 0
    assert {file.name for file in (tmp_path / "harness-report").iterdir()} == {
        "load.html",
        "load.json",
    }


@pytest.fixture
def run_loading(
    server: CountingServer, tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> RunLoading:
    """A load in whose middle the report's folder goes away."""

    def run(seconds: int, *, is_interrupted: bool = False) -> tuple[int, str, str]:
        arguments = ("browse", "--host", server.url, "--users", "1", "--time", f"{seconds}s")
        with subprocess.Popen(
            [sys.executable, "-m", "harness", "load", *arguments],
            cwd=tmp_path,
            env={**unmeasured_environment, "HARNESS_TOKEN": "", "HARNESS_APP": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert server.some.wait(60)
            (tmp_path / "harness-report").rmdir()
            if is_interrupted:
                os.killpg(process.pid, signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    return run


def test_a_report_that_cannot_be_written_in_the_end_is_an_environment_error(
    run_loading: RunLoading,
) -> None:
    code, output, errors = run_loading(2)

    assert errors.count("cannot write harness-report/load.") == 2
    assert "PASS" in output
    assert code == 3


def test_ctrl_c_is_told_as_that_where_the_report_cannot_be_written_any_more(
    run_loading: RunLoading,
) -> None:
    code, output, errors = run_loading(60, is_interrupted=True)

    assert errors.count("cannot write harness-report/load.") == 2
    assert "Traceback" not in errors
    assert "INCONCLUSIVE" in output
    assert code == 130
