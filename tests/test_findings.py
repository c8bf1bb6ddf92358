"""Findings weighed against allowances."""

from dataclasses import FrozenInstanceError, replace

import pytest

from harness.findings import Allowance, Finding, Severity, SourceLine, judge

LAZY = Finding(
    kind="n-plus-one",
    label="User.posts",
    anchor="GET /users",
    severity=Severity.ERROR,
    title="User.posts was loaded 10 times",
    fix="load it with the users",
    site=SourceLine("shop/users.py", 10, "list_users"),
)
ALLOWED = Allowance(identity="n-plus-one User.posts @ GET /users", reason="ten users at most")


def test_a_finding_that_nothing_allows_is_open() -> None:
    judged = judge([LAZY], [])

    assert (judged.open, judged.accepted, judged.unmatched) == ((LAZY,), (), ())


def test_an_allowed_finding_is_accepted_with_its_allowance() -> None:
    judged = judge([LAZY], [ALLOWED])

    assert (judged.open, judged.accepted, judged.unmatched) == ((), ((LAZY, ALLOWED),), ())


def test_an_allowance_that_matches_nothing_is_told() -> None:
    judged = judge([], [ALLOWED])

    assert judged.unmatched == (ALLOWED,)


def test_one_allowance_accepts_every_finding_of_its_identity() -> None:
    again = replace(LAZY, title="User.posts was loaded 20 times")

    judged = judge([LAZY, again], [ALLOWED])

    assert [finding for finding, _ in judged.accepted] == [LAZY, again]


@pytest.mark.parametrize(
    "other",
    [replace(LAZY, kind="other"), replace(LAZY, label="other"), replace(LAZY, anchor="other")],
    ids=["kind", "label", "anchor"],
)
def test_an_allowance_for_something_else_accepts_nothing(other: Finding) -> None:
    judged = judge([other], [ALLOWED])

    assert (judged.open, judged.unmatched) == ((other,), (ALLOWED,))


def test_the_identity_has_neither_numbers_nor_lines() -> None:
    moved = replace(LAZY, title="20 times", site=SourceLine("shop/users.py", 99, "list_users"))

    assert moved.identity == LAZY.identity == ALLOWED.identity


def test_the_worst_findings_come_first_and_equal_ones_by_identity() -> None:
    first, second, third, last = (
        replace(LAZY, label="c"),
        replace(LAZY, label="d"),
        replace(LAZY, label="b", severity=Severity.WARNING),
        replace(LAZY, label="a", severity=Severity.NOTE),
    )

    assert judge([last, second, third, first], []).open == (first, second, third, last)


def test_a_finding_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        LAZY.title = "harmless"  # type: ignore[misc] # that is the claim


def test_a_source_line_reads_as_editors_and_terminals_link_it() -> None:
    assert str(LAZY.site) == "shop/users.py:10"
