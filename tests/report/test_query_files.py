"""Query reports as files: the ending decides, and no reader ever sees half of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigurationError, ExitCode
from harness.findings import SourceLine
from harness.report.query_files import require_known_ending, write_query_report
from harness.report.query_json import query_to_json
from harness.report.query_markdown import query_to_markdown
from harness.report.query_paths import path_in_repository, project_folder
from harness.report.sarif import query_to_sarif
from tests.report.query_reports import EXAMPLE

_RENDERED = {
    "report.json": query_to_json(EXAMPLE),
    "report.md": query_to_markdown(EXAMPLE),
    "report.sarif": query_to_sarif(EXAMPLE, folder="services/shop"),
    "REPORT.SARIF": query_to_sarif(EXAMPLE, folder="services/shop"),
}


@pytest.mark.parametrize("name", _RENDERED)
def test_the_ending_says_which_format(tmp_path: Path, name: str) -> None:
    write_query_report(EXAMPLE, tmp_path / name, folder="services/shop")

    assert (tmp_path / name).read_text("utf-8") == _RENDERED[name]


def test_folders_are_made(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "report.json"

    write_query_report(EXAMPLE, file)

    assert json.loads(file.read_text("utf-8"))["verdict"] == "fail"


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    file.write_text("older", encoding="utf-8")

    write_query_report(EXAMPLE, file)

    assert file.read_text("utf-8") == query_to_markdown(EXAMPLE)


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write_query_report(EXAMPLE, tmp_path / "report.md")

    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()

    with pytest.raises(IsADirectoryError):
        write_query_report(EXAMPLE, tmp_path / "report.md")

    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]


@pytest.mark.parametrize("name", ["report.txt", "report", ".json", "report.json.bak"])
def test_an_unknown_ending_is_misuse(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="names no format") as caught:
        write_query_report(EXAMPLE, tmp_path / name)

    assert caught.value.exit_code is ExitCode.MISUSE
    assert list(tmp_path.iterdir()) == []


def test_an_ending_can_be_asked_for_before_there_is_a_report() -> None:
    assert require_known_ending(Path("reports/queries.MD")) == ".md"


def test_a_project_in_a_folder_of_its_repository_knows_it(tmp_path: Path) -> None:
    root = tmp_path / "services" / "shop"
    root.mkdir(parents=True)
    (tmp_path / ".git").mkdir()

    assert project_folder(root) == "services/shop"


def test_a_linked_work_tree_is_a_repository(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / ".git").write_text("gitdir: elsewhere", encoding="utf-8")

    assert project_folder(tmp_path / "shop") == "shop"


def test_a_project_that_is_all_of_its_repository_has_no_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert project_folder(tmp_path) == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("shop/a.py", "services/shop/a.py"),
        ("./shop/../a.py", "services/a.py"),
        ("../a.py", "a.py"),
        ("../../a.py", None),
        ("/a.py", None),
        ("C:\\a.py", None),
        ("", None),
    ],
)
def test_a_path_begins_at_the_repository_or_is_none(path: str, expected: str | None) -> None:
    assert path_in_repository(SourceLine(path, 1, "f"), "services") == expected
