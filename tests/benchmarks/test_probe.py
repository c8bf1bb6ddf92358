"""`benchmarks/probe.py` runs to its end, in 80 columns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.errors import ExitCode

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "probe.py"
COLUMNS = 80


def test_a_pair_is_measured_for_each_kind_of_request(tmp_path: Path) -> None:
    file = tmp_path / "figures"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--quick", f"--json={file}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    pairs = json.loads(file.read_text(encoding="utf-8"))["pairs"]
    assert [pair["kind"] for pair in pairs] == ["row", "page"]
    assert all(pair["without"] > 0 < pair["probed"] for pair in pairs)
    assert max(map(len, done.stdout.splitlines())) <= COLUMNS
