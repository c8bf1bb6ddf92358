"""From answers to a row of the report: what is measured, what is not, and what either means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.recording import Recording, Refusal, RefusalReason
from harness.checks.growth import GrowthSample, Trend
from harness.findings import Allowance, Finding, Judgement, Severity, Verdict, judge
from harness.scan.asking import Scanned
from harness.scan.calls import Answer
from harness.scan.operations import ScannedOperation
from harness.scan.verdicts import overall, scan_row, weighed
from tests.checks.conftest import MakeRequest, MakeTrip, request_to, trip

__all__ = ["request_to", "trip"]

NOTHING = Judgement((), (), ())


@pytest.fixture
def users() -> Scanned:
    """An operation that has not been asked yet."""
    return Scanned(ScannedOperation("/users", ()))


@pytest.fixture
def growing(users: Scanned, trip: MakeTrip, request_to: MakeRequest) -> Scanned:
    """An operation that runs one statement for each row."""
    for n in (2, 3, 10):
        taken = Recording(
            round_trips=tuple(trip(value=1) for _ in range(n)), requests=(request_to(),)
        )
        users.answers.append(Answer("/users", GrowthSample(n, taken, n), 200, ""))
    return users


def test_what_grows_fails_with_its_numbers(growing: Scanned) -> None:
    row, findings = scan_row(growing)

    assert (row.statements, row.items) == ((2, 3, 10), (2, 3, 10))
    assert (row.trend, row.verdict) == (Trend.GROWING, Verdict.FAIL)
    assert [item.kind for item in findings if item.severity is Severity.ERROR] == ["query-growth"]


def test_an_accepted_finding_is_a_warning(growing: Scanned) -> None:
    row, findings = scan_row(growing)
    accepted = judge(findings, [Allowance(item.identity, "known") for item in findings])

    assert weighed(row, findings, accepted).verdict is Verdict.WARN
    assert overall([row], accepted) is Verdict.PASS


def test_an_open_finding_fails_the_scan(growing: Scanned) -> None:
    row, findings = scan_row(growing)

    assert overall([row], judge(findings, [])) is Verdict.FAIL


def test_a_page_that_costs_more_the_farther_it_is_is_found(
    users: Scanned, trip: MakeTrip, request_to: MakeRequest
) -> None:
    def answer(n: int, count: int, items: int) -> Answer:
        taken = Recording(
            round_trips=tuple(trip(value=1) for _ in range(count)), requests=(request_to(),)
        )
        return Answer("/users", GrowthSample(n, taken, items), 200, "")

    users.answers = [answer(2, 1, 2), answer(3, 1, 3)]
    users.pages = [answer(5, 1, 5), answer(10, 2, 5)]

    _, findings = scan_row(users)

    assert [item.kind for item in findings] == ["query-growth"]


def test_a_problem_at_any_size_is_no_measurement(growing: Scanned) -> None:
    growing.answers[-1] = replace(growing.answers[-1], status=500, problem="answered 500")

    row, findings = scan_row(growing)

    assert (row.verdict, row.note, row.statements) == (Verdict.SKIPPED, "answered 500", ())
    assert findings == ()


def test_what_sqlalchemy_refuses_to_load_is_found_whatever_the_rows(
    users: Scanned, request_to: MakeRequest
) -> None:
    refused = Refusal(
        RefusalReason.MISSING_GREENLET, 0.0, "User", "User.posts", is_relationship=True, request=1
    )
    taken = Recording(requests=(request_to(),), refusals=(refused,))
    users.answers.append(Answer("/users", GrowthSample(2, taken), None, "raised MissingGreenlet"))

    row, findings = scan_row(users)

    assert row.verdict is Verdict.FAIL
    assert [item.kind for item in findings] == ["missing-greenlet"]


def test_a_parameter_without_a_value_is_named(users: Scanned) -> None:
    users.unfilled = ["token (header)"]

    row, _ = scan_row(users)

    assert (row.verdict, row.note) == (Verdict.SKIPPED, "no value for token (header)")


def test_a_scan_that_could_measure_nothing_is_inconclusive(users: Scanned) -> None:
    users.unfilled = ["token (header)"]
    row, _ = scan_row(users)

    assert overall([row], NOTHING) is Verdict.INCONCLUSIVE
    assert overall([], NOTHING) is Verdict.INCONCLUSIVE


def test_a_note_fails_nothing(growing: Scanned) -> None:
    row, _ = scan_row(growing)
    note = Finding("redundant-read", "User", "GET /users", Severity.NOTE, "", "")

    assert overall([replace(row, verdict=Verdict.PASS)], judge([note], [])) is Verdict.PASS
