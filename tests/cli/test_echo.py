"""``harness echo``: what it prints and exits with; how it is followed and interrupted."""

from __future__ import annotations

import array
import fcntl
import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import RunHarness

_PATIENCE_SECONDS = 60.0
HEAD = "2030-01-02 03:04:05,678 INFO sqlalchemy.engine.Engine "
LOOP = [
    "BEGIN (implicit)",
    "SELECT users.id, users.name \nFROM users",
    "[generated in 0.00021s] ()",
    *["SELECT posts.id \nFROM posts \nWHERE posts.user_id = ?", "[cached since 0.01s ago] (7,)"]
    * 41,
    "ROLLBACK",
]


def _log(*messages: str, tag: str = "") -> str:
    return "".join(f"{HEAD}{tag}{message}\n" for message in messages)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A request with an N+1 of 41 rows, and one without."""
    file = tmp_path / "app.log"
    file.write_text(_log(*LOOP, tag="[r1] ") + _log(*LOOP[:3], "COMMIT", tag="[r2] "), "utf-8")
    return file


def test_the_report_tells_counts_repetitions_shapes_and_tags(
    run_harness: RunHarness, log: Path
) -> None:
    ended = run_harness("echo", log.name, folder=log.parent)

    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout == (
        """\
app.log: 174 lines
  statements    43
  round trips   43
  transactions   2  1 COMMIT, 1 ROLLBACK
  savepoints     0  SAVEPOINT, RELEASE and their kin; no statements

REPEATED WITHIN ONE TRANSACTION
  the same shape 41 times in one transaction [r1], 41 in a row
    SELECT posts.id FROM posts WHERE posts.user_id = ?

SHAPES
  fingerprint   stmts  trips  shape
  ff5b0771047f     41     41  SELECT posts.id FROM posts WHERE posts.user_id = ?
  3f3a770b84a4      2      2  SELECT users.id, users.name FROM users

2 TAGS
  tag  stmts  trips  transactions  mostly
  r1      42     42             1  41 x SELECT posts.id FROM posts WHERE
                                   posts.user_id = ?
  r2       1      1             1
"""
    )


def test_help_has_an_example_and_fits_80_columns(run_harness: RunHarness) -> None:
    ended = run_harness("echo", "--help")

    assert "Example:\n" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert ended.returncode == 0


def test_json_has_the_numbers(run_harness: RunHarness, log: Path) -> None:
    ended = run_harness("echo", str(log), "--json")

    told = json.loads(ended.stdout)
    assert (told["schema_version"], told["statements"], told["round_trips"]) == (1, 43, 43)
    assert told["shapes"][0]["repeat"] == {
        "is_shared": False,
        "tag": "r1",
        "times": 41,
        "times_in_a_row": 41,
    }
    assert [(each["tag"], each["statements"]) for each in told["tags"]] == [("r1", 42), ("r2", 1)]
    assert told["limit"] is None


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--max-statements", "42"], 0, "PASS: at most 42 statements per tag; 2 checked"),
        (["--max-statements", "41"], 1, "FAIL: at most 41 statements per tag; 1 of 2 checked"),
        (["--max-statements", "41", "--per", "transaction"], 1, "per transaction; 1 of 2 checked"),
        (["--max-statements", "9", "--tag", "nowhere(.)", "--per", "tag"], 3, "INCONCLUSIVE"),
    ],
)
def test_a_budget_decides_the_exit_code(
    run_harness: RunHarness, log: Path, options: list[str], code: int, words: str
) -> None:
    ended = run_harness("echo", str(log), *options)

    assert words in " ".join(ended.stdout.split())
    assert ended.returncode == code


def test_a_budget_is_inconclusive_where_transactions_overlap(
    run_harness: RunHarness, tmp_path: Path
) -> None:
    file = tmp_path / "app.log"
    file.write_text(_log(*(message for message in LOOP[:3] for _ in range(2))), "utf-8")

    ended = run_harness("echo", str(file), "--max-statements", "1")

    assert "2 ran while several transactions were open" in " ".join(ended.stdout.split())
    assert ended.returncode == 3


def test_a_transaction_without_tag_is_held_against_the_budget_beside_the_tags(
    run_harness: RunHarness, log: Path
) -> None:
    log.write_text(_log(*LOOP) + _log(*LOOP[:3], "COMMIT", tag="[r2] "), "utf-8")

    assert run_harness("echo", str(log), "--max-statements", "41").returncode == 1


def test_a_log_without_echo_is_no_zero(run_harness: RunHarness, tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("INFO:     Application startup complete.\n", encoding="utf-8")

    ended = run_harness("echo", str(file))

    assert "no line of SQLAlchemy's echo among 1 line\n" in ended.stderr
    assert "echo=True" in ended.stderr
    assert ended.stderr.endswith("[no-echo]\n")
    assert ended.stdout == ""
    assert ended.returncode == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.log"],
        ["."],
        ["--tag", "(", "-"],
        ["--tag", "no group", "-"],
        ["--max-statements", "x"],
    ],
)
def test_misuse_is_exit_code_2(run_harness: RunHarness, arguments: list[str]) -> None:
    ended = run_harness("echo", *arguments)

    assert "Error:" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


def test_a_packed_log_is_read(run_harness: RunHarness, log: Path) -> None:
    packed = log.with_suffix(".log.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))

    assert "statements    43" in run_harness("echo", str(packed)).stdout


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_a_damaged_packed_log_is_misuse(run_harness: RunHarness, log: Path, damage: str) -> None:
    packed, whole = log.with_suffix(".gz"), gzip.compress(log.read_bytes())
    harm = whole[:-20] if damage == "cut off" else whole[:20] + b"\xff" * 40 + whole[60:]
    packed.write_bytes(harm)

    ended = run_harness("echo", str(packed))

    assert "cannot read" in ended.stderr
    assert ended.returncode == 2


@contextmanager
def _following(
    environment: Mapping[str, str], root: Path, errors: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "echo"],
        cwd=root,
        env={**environment, "COLUMNS": "80", "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _has_input(process: subprocess.Popen[bytes]) -> bool:
    """Whether something is in the pipe that the process has not taken yet."""
    assert process.stdin is not None
    waiting = array.array("i", [0])
    fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, waiting)
    return waiting[0] > 0


def test_ctrl_c_prints_what_is_known_so_far(
    pytestconfig: pytest.Config, unmeasured_environment: Mapping[str, str], log: Path
) -> None:
    with _following(unmeasured_environment, pytestconfig.rootpath) as process:
        assert process.stdin is not None
        process.stdin.write(log.read_bytes() * 3)
        process.stdin.flush()
        while _has_input(process):
            os.sched_yield()

        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=_PATIENCE_SECONDS)

    assert b"standard input: " in output
    assert b"[r1]" in output
    assert b"Traceback" not in errors
    assert process.returncode == 130


def test_a_pipe_that_ends_is_reported(
    pytestconfig: pytest.Config, unmeasured_environment: Mapping[str, str], log: Path
) -> None:
    with _following(unmeasured_environment, pytestconfig.rootpath) as process:
        output, errors = process.communicate(log.read_bytes(), timeout=_PATIENCE_SECONDS)

    assert b"standard input: 174 lines" in output
    assert errors == b""
    assert process.returncode == 0


def test_progress_is_shown_on_a_terminal_and_leaves_the_report_alone(
    pytestconfig: pytest.Config, unmeasured_environment: Mapping[str, str], log: Path
) -> None:
    screen, terminal = pty.openpty()
    try:
        with _following(unmeasured_environment, pytestconfig.rootpath, terminal) as process:
            output, _ = process.communicate(log.read_bytes(), timeout=_PATIENCE_SECONDS)
        shown = os.read(screen, 65536)
    finally:
        os.close(screen)
        os.close(terminal)

    assert b"reading" in shown
    assert output.startswith(b"standard input: 174 lines")
