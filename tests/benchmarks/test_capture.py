"""`benchmarks/capture.py` runs to its end, with every candidate in every column, in 80 columns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.database.server import PostgresServer
from harness.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = {"SQLite Core", "SQLite ORM", "asyncpg Core", "asyncpg ORM"}
CANDIDATES = {
    "nothing",
    "two no-op listeners",
    "counting",
    "full",
    "echo to nowhere",
    "pytest-queryguard",
    "queryspy",
    "pytest-querycount",
    "OpenTelemetry",
}


def test_every_candidate_is_measured_in_every_column(
    harness_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = harness_postgres.address.url("postgres").render_as_string(hide_password=False)
    file = tmp_path / "capture.json"

    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "capture.py"),
            "--quick",
            f"--json={file}",
            f"--postgres={url}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    figures = json.loads(file.read_text(encoding="utf-8"))["capture"]
    assert {name: set(columns) for name, columns in figures.items()} == dict.fromkeys(
        CANDIDATES, COLUMNS
    )
    lines = done.stdout.splitlines()
    assert max(map(len, lines[lines.index("") :])) <= 80


def test_the_memory_of_a_long_request_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"

    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "capture.py"),
            "--quick",
            "--memory",
            f"--json={file}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    memory = json.loads(file.read_text(encoding="utf-8"))["memory"]
    assert memory["statements"] == memory["counted"] == memory["described"] == 1_000
    assert 0 < memory["peak_bytes"] < 50 * 1024 * 1024
