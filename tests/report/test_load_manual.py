"""The manual of the load report shows what the renderers write."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.load_json import load_report_to_json
from harness.report.load_text import render_load_text
from tests.report.load_reports import full_report, unreachable_report


@pytest.fixture(scope="module")
def manual(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath / "docs/reference/load-report.md"


def _blocks(manual: Path, language: str) -> list[str]:
    text = manual.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _is_part(part: object, whole: object) -> bool:
    """Whether everything in a document is in another one; lists may leave values out."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(part[key], whole[key]) for key in part)
    if isinstance(part, list) and isinstance(whole, list):
        return all(any(_is_part(each, other) for other in whole) for each in part)
    return part == whole


def test_the_screens(manual: Path) -> None:
    file = io.StringIO()
    for report in (full_report(), unreachable_report()):
        render_load_text(report, Console(file=file, width=80, color_system=None))

    blocks = _blocks(manual, "text")
    assert len(blocks) == 2
    assert [block for block in blocks if block not in file.getvalue()] == []


def test_the_json(manual: Path) -> None:
    (shown,) = _blocks(manual, "json")

    assert _is_part(json.loads(shown), json.loads(load_report_to_json(full_report())))


def test_the_python(manual: Path) -> None:
    (shown,) = _blocks(manual, "python")
    namespace: dict[str, object] = {}

    exec(compile(ast.parse(shown), "manual", "exec"), namespace)  # noqa: S102 - our own manual

    assert callable(namespace["written"])


def test_its_links_lead_somewhere(manual: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", manual.read_text("utf-8"))

    assert targets
    assert [target for target in targets if not (manual.parent / target).exists()] == []
