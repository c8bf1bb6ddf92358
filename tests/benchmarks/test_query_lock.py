"""`benchmarks/query_lock.py` runs to its end, in 80 columns, and its gate is fast enough."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.errors import ExitCode

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "query_lock.py"
COLUMNS = 80


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    return done.stdout


def test_every_step_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "figures"

    printed = run("--quick", f"--json={file}")

    written = json.loads(file.read_text(encoding="utf-8"))
    assert len(written["query_lock"]) == 6
    assert max(map(len, printed.splitlines())) <= COLUMNS


def test_a_thousand_tests_are_judged_within_half_a_second(tmp_path: Path) -> None:
    file = tmp_path / "figures"

    run("--rounds=5", f"--json={file}")

    figures = json.loads(file.read_text(encoding="utf-8"))["query_lock"]
    # The quickest of five: what others do on the machine meanwhile is not ours.
    assert figures["combine, read, compare, write"]["min_ms"] < 500


def test_help_has_an_example_and_asks_for_no_server() -> None:
    printed = run("--help")

    assert "example:\n  python benchmarks/query_lock.py " in printed
    assert "--postgres" not in printed
