"""The edit that a finding shows is the one that repairs the line, or there is none."""

from __future__ import annotations
import __future__

import shutil
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import cache
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import joinedload, selectinload

from harness.checks.edits import eager_option, edited
from harness.checks.statements import statement_findings
from harness.findings import Finding
from tests.checks.corpus import found_relationships
from tests.checks.corpus.labels import Case, cases_in
from tests.checks.corpus.run import called
from tests.checks.corpus.sessions import filled, on_sqlite

ONE_LINE = [
    case
    for case in cases_in(found_relationships)
    if len(case.expected) == 1 and case.load_lines and case.name != "a_walk_down_a_tree"
]

ELSEWHERE = {"beside_a_relationship_that_is_loaded", "the_second_level_only"}
"""Where the query is not written on the line that executes it."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("edits") / "template.db"
    with closing(on_sqlite(file)) as databases:
        filled(databases)
    return file


@pytest.fixture(scope="module")
def findings_of(template: Path) -> Callable[[Case], list[Finding]]:
    """What the checks say of a handler, which is called once."""
    copy = template.with_name("copy.db")

    @cache
    def find(case: Case) -> list[Finding]:
        with closing(on_sqlite(Path(shutil.copy(template, copy)))) as databases:
            return statement_findings(called(case, databases))

    return find


@pytest.mark.parametrize(
    "case", [c for c in ONE_LINE if c.name not in ELSEWHERE], ids=lambda case: case.name
)
def test_the_edited_line_repairs_the_handler(
    case: Case, findings_of: Callable[[Case], list[Finding]]
) -> None:
    (finding,) = findings_of(case)
    _, _, line = finding.fix.partition(":\n")

    assert findings_of(replace(case, handler=_with(case.handler, line))) == []


def test_an_edit_is_shown_wherever_the_query_stands_on_the_line(
    findings_of: Callable[[Case], list[Finding]],
) -> None:
    without = {
        case.name for case in ONE_LINE for found in findings_of(case) if ":\n" not in found.fix
    }

    assert without == ELSEWHERE


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("session.scalars(select(User))", "session.scalars(select(User).options(O))"),
        ("select(User, Post).where(f(')'))", "select(User, Post).options(O).where(f(')'))"),
        ("session.query(User).all()", "session.query(User).options(O).all()"),
        ("session.get(User, key)", "session.get(User, key, options=[O])"),
        ("await session.get_one(User, f(1))", "await session.get_one(User, f(1), options=[O])"),
    ],
)
def test_the_option_is_put_behind_the_class(code: str, expected: str) -> None:
    assert edited(code, entity="User", option="O") == expected


@pytest.mark.parametrize(
    "code",
    [
        "session.scalars(query)",
        "select(Users)",
        "select(User.id)",
        "union(select(User), select(User))",
        "session.get(User, key, options=[P])",
        "select(User, (",
    ],
)
def test_what_only_a_person_can_write_is_left_to_one(code: str) -> None:
    assert edited(code, entity="User", option="O") is None


def test_a_path_is_loaded_step_by_step() -> None:
    option = eager_option(("User.posts", "Post.author"), is_scalar=True)

    assert option == "selectinload(User.posts).joinedload(Post.author)"


def _with(handler: Callable[..., Any], line: str) -> Callable[..., Any]:
    """The handler with another line in place of the marked one."""
    source = [
        f"{text[: len(text) - len(text.lstrip())]}{line}" if "# load" in text else text
        for text in textwrap.dedent(getsource(handler)).splitlines()
    ]
    module = vars(sys.modules[handler.__module__])
    names = {**module, "selectinload": selectinload, "joinedload": joinedload}
    code = compile("\n".join(source), "edited", "exec", __future__.annotations.compiler_flag)
    exec(code, names)  # noqa: S102 - the edit is what is tested
    edited_handler: Callable[..., Any] = names[handler.__name__]
    return edited_handler
