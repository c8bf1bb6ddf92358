"""`make load` passes on a busy machine, and does not where nothing was loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.campaign.probes import PROBES

ROOT = Path(__file__).resolve().parents[1]
MEASURED = {
    "slow-requests": "inconclusive",
    "n_plus_one": "pass",
    "pool-size": "skipped",
    "soak": "inconclusive",
}


def _judged(folder: Path, code: int, verdicts: Mapping[str, str] | None) -> tuple[int, str]:
    if verdicts is not None:
        (folder / "harness-report").mkdir()
        probes = [{"probe": name, "verdict": verdict} for name, verdict in verdicts.items()]
        report = folder / "harness-report" / "load.json"
        report.write_text(json.dumps({"probes": probes}), "utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "load_told.py"), str(code)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def test_measurements_that_a_busy_machine_spoils_are_no_failure(tmp_path: Path) -> None:
    assert _judged(tmp_path, 3, MEASURED) == (0, "")


@pytest.mark.parametrize("code", [1, 2, 130])
def test_every_other_code_stays_what_it_is(tmp_path: Path, code: int) -> None:
    assert _judged(tmp_path, code, MEASURED) == (code, "")


@pytest.mark.parametrize(
    ("verdicts", "why"),
    [
        (None, "nothing was loaded"),
        ({}, "n_plus_one only counts, and is not told"),
        ({**MEASURED, "n_plus_one": "inconclusive"}, "n_plus_one only counts, and is inconclusive"),
        ({**MEASURED, "n_plus_one": "skipped"}, "n_plus_one only counts, and is skipped"),
        ({**MEASURED, "soak": "skipped"}, "the campaign ended early"),
    ],
    ids=["no-report", "empty", "not-counted", "not-run", "ended-early"],
)
def test_a_run_that_did_not_load_everything_fails(
    tmp_path: Path, verdicts: Mapping[str, str] | None, why: str
) -> None:
    code, said = _judged(tmp_path, 3, verdicts)

    assert why in said
    assert code == 3


def test_the_last_probe_of_a_campaign_is_the_one_that_is_looked_at() -> None:
    assert list(PROBES)[-1] == "soak"
    assert "n_plus_one" in PROBES


def test_no_report_of_an_earlier_run_is_looked_at() -> None:
    recipe = re.search(
        r"^load:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )

    assert recipe is not None
    removing, running = recipe[1].splitlines()
    assert removing == "\t@rm -f harness-report/load.json"
    assert running.endswith("|| $(PY) scripts/load_told.py $$?")
