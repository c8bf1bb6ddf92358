"""The main job on the reference application: what is planted is found, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.report.json import load_schema
from target_app.faults import FAULTS

_ENDPOINTS = "target_app/faults/n_plus_one.py"
_ELSEWHERE = "target_app/faults/n_plus_one_elsewhere.py"
_LOOPS = "target_app/faults/query_in_loop.py"
_COLUMNS = "target_app/faults/columns.py"

# By path below `/faults/`: label, file and function of what must be found there.
_FOUND = {
    ("n-plus-one/authors", "User.posts", _ENDPOINTS, "authors_with_lazy_posts"),
    ("n-plus-one/post-authors", "Post.author", _ENDPOINTS, "posts_with_lazy_author"),
    ("n-plus-one/post-tags", "Post.tags", _ENDPOINTS, "posts_with_lazy_tags"),
    ("n-plus-one/replies", "Comment.replies", _ENDPOINTS, "comments_with_lazy_replies"),
    ("n-plus-one/two-levels", "User.posts", _ENDPOINTS, "authors_with_lazy_threads"),
    ("n-plus-one/two-levels", "Post.comments", _ENDPOINTS, "authors_with_lazy_threads"),
    ("n-plus-one/refresh", "User.posts", _ENDPOINTS, "authors_refreshed"),
    ("n-plus-one/serialisation", "User.posts", _ELSEWHERE, "authors_lazy_while_serialised"),
    ("n-plus-one/dependency", "User.posts", _ELSEWHERE, "_lazy_authors"),
    ("query-in-loop/profiles", "User in _users_one_by_one", _LOOPS, "_users_one_by_one"),
    (
        "query-in-loop/core-counts",
        "comments in _counts_one_by_one",
        _LOOPS,
        "_counts_one_by_one",
    ),
    (
        "query-in-loop/text-counts",
        "comments in _texts_one_by_one",
        _LOOPS,
        "_texts_one_by_one",
    ),
    ("columns/deferred", "Post", _COLUMNS, "posts_with_deferred_body"),
    ("columns/expired", "Post", _COLUMNS, "posts_expired"),
    ("query-in-loop/fan-out", "User in _user_apart", _LOOPS, "_user_apart"),
}


@pytest.fixture(scope="module")
def checked(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One whole checkup, as ``make demo`` runs it."""
    folder = tmp_path_factory.mktemp("checkup") / "report"
    options = ["--strict-allow", "--output", str(folder)]
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "checkup", *options],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return ended, folder


@pytest.fixture(scope="module")
def report(checked: tuple[subprocess.CompletedProcess[str], Path]) -> Mapping[str, Any]:
    """The JSON report of that checkup."""
    loaded: Mapping[str, Any] = json.loads((checked[1] / "report.json").read_text("utf-8"))
    return loaded


def test_all_is_as_planted(checked: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    ended, _ = checked

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"PASS: 0 open, {len(_FOUND)} accepted" in ended.stdout


def test_the_report_fits_its_schema(report: Mapping[str, Any]) -> None:
    jsonschema.validate(report, load_schema())


def test_every_fault_names_its_relationship_and_the_line_to_edit(
    report: Mapping[str, Any],
) -> None:
    found = {
        (
            item["anchor"].removeprefix("GET /faults/"),
            item["label"],
            item["site"]["path"],
            item["site"]["function"],
        )
        for item in report["findings"]["accepted"]
    }

    assert found == _FOUND


def test_every_twin_passes_and_runs_what_the_catalogue_says(report: Mapping[str, Any]) -> None:
    twins = {
        row["endpoint"]: (row["verdict"], row["statements"])
        for row in report["endpoints"]
        if row["endpoint"].startswith("GET /twins/")
    }

    expected = {
        f"GET {fault.twin_path}": ("pass", fault.of_twin)
        for fault in FAULTS
        if fault.method == "GET"
    }
    assert twins == expected


def test_every_get_endpoint_was_requested(report: Mapping[str, Any]) -> None:
    skipped = {
        row["endpoint"]: row["note"] for row in report["endpoints"] if row["verdict"] == "skipped"
    }

    assert skipped == {}


def test_the_load_was_served_and_every_connection_came_back(report: Mapping[str, Any]) -> None:
    verdicts = {probe["probe"]: probe["verdict"] for probe in report["probes"]}

    assert verdicts["load"] == verdicts["pool"] == verdicts["leak"] == "pass"
    pool = report["load"]["pools"][0]
    assert (pool["size"], pool["max_overflow"]) == (5, 5)
    assert pool["checkouts"] == pool["hold"]["count"] > 0  # how many, the machine decides


def test_the_exhausted_pool_sheds_and_recovers(report: Mapping[str, Any]) -> None:
    story = report["exhaustion"]

    outcomes = {item["outcome"] for item in story["outcomes"]}
    assert story["pool_capacity"] == 3
    assert outcomes == {"ok", "shed"}
    assert story["recovery_seconds"] is not None
    assert story["checked_out_at_rest"] == 0
    assert story["without_database"]["count"] > 0


def test_the_page_needs_no_network(
    checked: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    page = (checked[1] / "report.html").read_text("utf-8")

    assert "<svg" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_an_allowance_that_matches_nothing_fails_only_when_strict(
    report: Mapping[str, Any],
) -> None:
    assert report["findings"]["unmatched_allowances"] == []
