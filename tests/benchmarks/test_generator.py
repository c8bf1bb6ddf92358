"""`benchmarks/generator.py` runs to its end and measures both candidates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_both_users_are_measured(tmp_path: Path) -> None:
    file = tmp_path / "generator.json"

    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "generator.py"), "--quick", f"--json={file}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text("utf-8"))["generator"]
    assert all(seconds > 0 for seconds in figures["FastHttpUser"] + figures["HarnessUser"])
    assert "times a bare user" in done.stdout
