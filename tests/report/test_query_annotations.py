"""Workflow commands: GitHub reads back what was meant, and is not given more than it keeps."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.findings import Severity, SourceLine
from harness.report.annotations import annotation_lines
from harness.report.query_content import QueryReport
from harness.report.query_text import change_as_text, new_endpoints_as_text
from tests.lock.strategies import CASES
from tests.report.query_reports import EMPTY, EXAMPLE, LAZY_LOAD, SOME, reports, with_findings

_COMMAND = re.compile(r"::(error|warning|notice) ([^:\r\n]*)::([^\r\n]*)", re.ASCII)


def _read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as GitHub's runner reads it."""
    match = _COMMAND.fullmatch(line)
    assert match is not None
    command, properties, text = match.groups()
    pairs = (each.partition("=") for each in properties.split(","))
    return command, {name: _unescaped(value) for name, _, value in pairs}, _unescaped(text)


def _unescaped(text: str) -> str:
    for code, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def _quiet(*severities: Severity) -> QueryReport:
    """Nothing but findings of these severities, each of another identity."""
    found = [
        replace(LAZY_LOAD, severity=severity, label=f"L{number}")
        for number, severity in enumerate(severities)
    ]
    return replace(with_findings(*found), changes=())


def test_a_regression_is_an_error_at_its_endpoint() -> None:
    regression = EXAMPLE.changes[1]

    command, properties, text = _read(annotation_lines(EXAMPLE)[0])

    assert command == "error"
    assert properties == {
        "file": "shop/users.py",
        "line": "26",
        "title": "query lock: GET /users runs more",
    }
    assert text == change_as_text(regression, EXAMPLE)


def test_endpoints_without_an_entry_are_one_error() -> None:
    command, properties, text = _read(annotation_lines(EXAMPLE)[1])

    assert command == "error"
    assert "file" not in properties
    assert text == new_endpoints_as_text(EXAMPLE)


def test_a_finding_stands_at_its_line() -> None:
    line = annotation_lines(_quiet(Severity.ERROR))[0]

    assert line.startswith(
        "::error file=shop/users.py,line=28,title=n-plus-one%3A L0 @ GET /users::User.posts was"
    )


def test_a_warning_is_a_warning_and_a_note_is_nothing() -> None:
    lines = annotation_lines(_quiet(Severity.WARNING, Severity.NOTE))

    assert [_read(line)[0] for line in lines] == ["warning"]


def test_paths_begin_at_the_repository() -> None:
    line = annotation_lines(_quiet(Severity.ERROR), folder="services/shop")[0]

    assert _read(line)[1]["file"] == "services/shop/shop/users.py"


@pytest.mark.parametrize("path", ["/usr/x.py", "../x.py"])
def test_a_line_outside_of_the_repository_has_no_file(path: str) -> None:
    site = SourceLine(path, 3, "f")
    report = replace(with_findings(replace(LAZY_LOAD, site=site)), changes=(), sites={})

    assert set(_read(annotation_lines(report)[0])[1]) == {"title"}


def test_a_finding_without_a_line_stands_at_its_endpoint() -> None:
    report = replace(with_findings(replace(LAZY_LOAD, site=None)), changes=())

    assert _read(annotation_lines(report)[0])[1]["line"] == "26"


def test_what_github_would_drop_is_counted() -> None:
    lines = annotation_lines(_quiet(*[Severity.ERROR] * 13, *[Severity.WARNING] * 11))

    commands = [_read(line)[0] for line in lines]
    assert commands == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert _read(lines[-1])[2] == (
        "3 further errors and 1 further warning in this run; GitHub shows 10 of each in a step"
    )


def test_ten_of_each_leave_nothing_to_count() -> None:
    lines = annotation_lines(_quiet(*[Severity.ERROR] * 10, *[Severity.WARNING] * 10))

    assert len(lines) == 20


def test_a_run_that_could_not_see_is_an_error() -> None:
    report = replace(EMPTY, problems=("100% blind\nuse an engine",))

    assert annotation_lines(report) == (
        "::error title=query lock%3A cannot be judged::100%25 blind%0Ause an engine",
    )


def test_a_run_that_writes_the_lock_has_no_regressions() -> None:
    titles = [_read(line)[1]["title"] for line in annotation_lines(replace(EXAMPLE, mode="update"))]

    assert titles == ["n-plus-one: User.posts @ GET /users"]


@SOME
@given(reports())
def test_every_line_can_be_written_to_a_log(report: QueryReport) -> None:
    lines = annotation_lines(report)

    assert all(line.isprintable() and line.encode() for line in lines)


@SOME
@given(reports())
def test_every_line_is_one_command(report: QueryReport) -> None:
    commands = [_read(line)[0] for line in annotation_lines(report)]

    assert commands == sorted(commands, key=["error", "warning", "notice"].index)


@CASES
@given(
    st.text() | st.text("%0123ABCD:,;=\r\n", max_size=20), st.text("%:,a=", min_size=1, max_size=20)
)
def test_what_github_reads_is_what_was_meant(title: str, label: str) -> None:
    finding = replace(LAZY_LOAD, title=title, label=label, anchor="GET /a")

    (line,) = annotation_lines(replace(with_findings(finding), changes=()))

    _, properties, text = _read(line)
    assert properties["title"] == f"n-plus-one: {label} @ GET /a"
    assert text == f"{_visible(title)}\nchange: {LAZY_LOAD.fix}"


def _visible(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)
