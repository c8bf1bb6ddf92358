"""Findings as plain text."""

from __future__ import annotations

from harness.findings import Finding, RelatedSite, Severity, SourceLine
from harness.report.plain import findings_as_text


def test_a_finding_says_what_where_and_how() -> None:
    finding = Finding(
        kind="n-plus-one",
        label="User.posts",
        anchor="GET /users",
        severity=Severity.ERROR,
        title="User.posts was loaded 3 times",
        fix="add .options(selectinload(User.posts))",
        site=SourceLine("app/users.py", 28, "list_users", "users = await session.scalars(query)"),
        related=(RelatedSite("endpoint", SourceLine("app/users.py", 20, "list_users")),),
        evidence=(("database time", "1.5 ms"),),
    )

    assert findings_as_text([finding]).splitlines() == [
        "n-plus-one  User.posts @ GET /users",
        "  User.posts was loaded 3 times",
        "  edit               app/users.py:28  users = await session.scalars(query)",
        "  change             add .options(selectinload(User.posts))",
        "  endpoint           app/users.py:20",
        "  database time      1.5 ms",
    ]


def test_findings_are_paragraphs() -> None:
    finding = Finding("k", "l", "a", Severity.NOTE, "title", "fix")

    assert findings_as_text([finding, finding]).count("\n\n") == 1


def test_no_findings_are_no_text() -> None:
    assert not findings_as_text([])
