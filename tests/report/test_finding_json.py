"""Findings survive the way to another process."""

from __future__ import annotations

import json

from harness.findings import (
    Allowance,
    Finding,
    Judgement,
    RelatedSite,
    Severity,
    SourceLine,
    judge,
)
from harness.report.finding_json import judgement_as_json, judgement_from_json

WHOLE = Finding(
    kind="n-plus-one",
    label="User.posts",
    anchor="GET /users",
    severity=Severity.ERROR,
    title="User.posts was loaded 5 times",
    fix="add .options(selectinload(User.posts))\nto the query",
    site=SourceLine("app/api.py", 28, "list_users", "select(User)"),
    related=(RelatedSite("accessed", SourceLine("app/api.py", 30, "list_users")),),
    evidence=(("database time", "5.4 ms"),),
)
BARE = Finding("blocked", "ü", "app/jobs.py::send", Severity.NOTE, "", "")


def test_a_judgement_comes_back_as_it_was() -> None:
    judgement = Judgement(
        open=(BARE,),
        accepted=((WHOLE, Allowance(WHOLE.identity, "five rows")),),
        unmatched=(Allowance("gone x @ y", "was slow"),),
    )

    there = json.dumps(judgement_as_json(judgement))

    assert judgement_from_json(json.loads(there)) == judgement


def test_findings_are_in_the_order_of_every_report_whatever_theirs_was() -> None:
    one, other = (Judgement(order, (), ()) for order in ((WHOLE, BARE), (BARE, WHOLE)))

    assert judgement_as_json(one) == judgement_as_json(other)
    assert judgement_from_json(judgement_as_json(one)).open == judge([BARE, WHOLE], []).open
