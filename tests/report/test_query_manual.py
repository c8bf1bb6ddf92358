"""The manual of the query reports shows what the renderers write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.checks.regression import Change
from harness.report.annotations import annotation_lines
from harness.report.query_files import REPORT_ENDINGS
from harness.report.query_json import query_to_json
from harness.report.query_markdown import query_to_markdown
from harness.report.query_text import change_as_text, new_endpoints_as_text
from harness.report.sarif import query_to_sarif
from tests.report.query_reports import EXAMPLE, LAZY_LOAD


@pytest.fixture(scope="module")
def manual(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath / "docs/reference/query-reports.md"


def _blocks(manual: Path, language: str) -> list[str]:
    return re.findall(
        rf"^(?:```|````){language}\n(.*?)^(?:```|````)$",
        manual.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )


def _is_part(part: object, whole: object) -> bool:
    """Whether everything in a document is in another one; lists may leave values out."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(part[key], whole[key]) for key in part)
    if isinstance(part, list) and isinstance(whole, list):
        return all(any(_is_part(each, other) for other in whole) for each in part)
    return part == whole


def test_the_log(manual: Path) -> None:
    regression = next(each for each in EXAMPLE.changes if each.change is Change.REGRESSION)

    assert _blocks(manual, "text") == [
        f"{change_as_text(regression, EXAMPLE)}\n",
        f"{new_endpoints_as_text(EXAMPLE)}\n",
        f"{annotation_lines(EXAMPLE)[-1]}\n",
    ]


def test_the_markdown(manual: Path) -> None:
    text = manual.read_text("utf-8")

    assert f"\n````markdown\n{query_to_markdown(EXAMPLE)}````\n" in text


def test_the_json(manual: Path) -> None:
    shown = json.loads(_blocks(manual, "json")[0])

    assert shown["findings"]["open"][0]["identity"] == LAZY_LOAD.identity
    assert _is_part(shown, json.loads(query_to_json(EXAMPLE)))


def test_the_sarif(manual: Path) -> None:
    shown = json.loads(_blocks(manual, "json")[1])

    assert shown["ruleId"] == LAZY_LOAD.kind
    assert _is_part([shown], json.loads(query_to_sarif(EXAMPLE))["runs"][0]["results"])


def test_every_ending_is_documented(manual: Path) -> None:
    rows = re.findall(r"^\| `(\.\w+)`", manual.read_text("utf-8"), re.MULTILINE)

    assert set(rows) == set(REPORT_ENDINGS)


def test_its_links_lead_somewhere(manual: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", manual.read_text("utf-8"))

    assert targets
    assert [target for target in targets if not (manual.parent / target).exists()] == []
