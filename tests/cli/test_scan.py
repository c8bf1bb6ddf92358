"""`harness scan` on the reference application: what is planted grows, its twins do not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.report.scan_json import load_scan_schema
from target_app.faults import FAULTS
from tests.cli.conftest import RunHarness

_GETS = [fault for fault in FAULTS if fault.method == "GET"]


@pytest.fixture(scope="module")
def scanned(pytestconfig: pytest.Config) -> subprocess.CompletedProcess[str]:
    """One whole scan."""
    return subprocess.run(
        [sys.executable, "-m", "harness", "scan", "--json"],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def report(scanned: subprocess.CompletedProcess[str]) -> Mapping[str, Any]:
    """What it says."""
    assert scanned.stdout, scanned.stderr
    loaded: Mapping[str, Any] = json.loads(scanned.stdout)
    return loaded


def test_what_is_planted_grows_and_nothing_else(report: Mapping[str, Any]) -> None:
    growing = {row["endpoint"] for row in report["endpoints"] if row["trend"] != "constant"}

    assert growing == {f"GET {fault.path}" for fault in _GETS}


def test_all_that_grows_is_accepted_as_what_it_is(
    report: Mapping[str, Any], scanned: subprocess.CompletedProcess[str]
) -> None:
    found = {item["identity"].partition(" ")[0] for item in report["findings"]["accepted"]}

    assert [item["identity"] for item in report["findings"]["open"]] == []
    assert found == {fault.kind for fault in _GETS}
    assert scanned.returncode == 0


def test_every_twin_is_constant_with_the_statements_of_the_catalogue(
    report: Mapping[str, Any],
) -> None:
    twins = {row["endpoint"]: row["statements"] for row in report["endpoints"]}

    assert {f"GET {fault.twin_path}": twins[f"GET {fault.twin_path}"] for fault in _GETS} == {
        f"GET {fault.twin_path}": [fault.of_twin] * 3 for fault in _GETS
    }


def test_every_table_is_filled(report: Mapping[str, Any]) -> None:
    assert len(report["tables"]) == 12
    assert [item for item in report["tables"] if item["rows"] < item["wanted"]] == []


def test_every_endpoint_is_measured(report: Mapping[str, Any]) -> None:
    assert [row["endpoint"] for row in report["endpoints"] if not row["statements"]] == []


def test_the_report_fits_its_schema(report: Mapping[str, Any]) -> None:
    jsonschema.validate(report, load_scan_schema())


def test_some_routes_at_other_sizes_make_a_table_of_80_columns(run_harness: RunHarness) -> None:
    ended = run_harness("scan", "--only", "/users*", "--at", "4,2")

    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ["endpoint", "status", "n=2", "n=4", "items", "growth", "verdict"] in lines
    assert ["GET", "/users", "200", "1", "1", "4", "constant", "pass"] in lines
    assert max(len(line) for line in ended.stdout.splitlines()) <= 80


@pytest.mark.parametrize("sizes", ["3", "0,2", "many", "2,2"])
def test_sizes_that_cannot_be_compared_are_refused(run_harness: RunHarness, sizes: str) -> None:
    ended = run_harness("scan", "--at", sizes)

    assert ended.returncode == 2
    assert "two or more numbers above zero" in ended.stderr


def test_no_route_to_measure_is_inconclusive(run_harness: RunHarness) -> None:
    ended = run_harness("scan", "--only", "/nowhere")

    assert ended.returncode == 3
    assert "INCONCLUSIVE: no endpoint could be measured" in ended.stdout


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"target_app.db:get_sesion": "target_app.db:get_session"}, "did you mean 'get_session'"),
        ({"target_app.db:make_engine": "target_app.db:get_session"}, "no route of the application"),
        ({"target_app.db:get_session": "target_app.models:__all__"}, "which cannot be called"),
    ],
    ids=["misspelt", "unused", "not callable"],
)
def test_an_override_that_cannot_be_put_in_place_says_why(
    run_harness: RunHarness, overrides: dict[str, str], words: str
) -> None:
    ended = run_harness("scan", environment={"HARNESS_OVERRIDES": json.dumps(overrides)})

    assert ended.returncode == 2
    assert words in ended.stderr
    assert "overrides" in ended.stderr


def test_the_help_has_an_example(run_harness: RunHarness, tmp_path: Path) -> None:
    ended = run_harness("scan", "--help", folder=tmp_path)

    assert ended.returncode == 0
    assert "harness scan --only '/users*'" in ended.stdout
