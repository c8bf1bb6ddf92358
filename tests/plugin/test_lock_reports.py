"""Reports of a project that is one folder of a repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.pytest_plugin.lock_reports import annotations_of, written_report
from tests.report.query_reports import EXAMPLE


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project inside a repository of several."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "services" / "shop"
    folder.mkdir(parents=True)
    return folder


def test_annotations_name_files_as_the_repository_does(shop: Path) -> None:
    lines = annotations_of(EXAMPLE, root=shop)

    assert any("file=services/shop/" in line for line in lines)


def test_files_for_a_code_host_name_them_so_too(shop: Path) -> None:
    told = written_report(EXAMPLE, shop / "out" / "queries.sarif", root=shop)

    assert told == f"report: {shop / 'out' / 'queries.sarif'}"
    written = json.loads((shop / "out" / "queries.sarif").read_text(encoding="utf-8"))
    assert "services/shop/" in json.dumps(written["runs"][0]["results"])


def test_a_report_that_cannot_be_written_is_told(shop: Path) -> None:
    (shop / "out").write_text("a file where a folder is wanted", encoding="utf-8")

    told = written_report(EXAMPLE, shop / "out" / "queries.md", root=shop)

    assert told.startswith(f"no report: {shop / 'out' / 'queries.md'} cannot be written: ")
