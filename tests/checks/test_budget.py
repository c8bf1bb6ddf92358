"""A budget counts statements, and its finding says which ones they were."""

from collections.abc import Callable

import pytest

from harness.capture.recording import Recording, RequestRecord, RoundTrip
from harness.checks.budget import over_budget

MakeTrip = Callable[..., RoundTrip]
MakeRequest = Callable[..., RequestRecord]


@pytest.fixture
def three_and_one(trip: MakeTrip, request_to: MakeRequest) -> Recording:
    """Three statements of one request, one of another, and one of the test itself."""
    return Recording(
        round_trips=(
            trip("SELECT a"),
            trip("SELECT a"),
            trip("SELECT b"),
            trip("SELECT a", request=2),
            trip("SELECT c", request=None),
        ),
        requests=(request_to("/users", number=1), request_to("/posts", number=2)),
    )


def test_a_budget_that_is_used_up_is_kept(three_and_one: Recording) -> None:
    assert over_budget(three_and_one, test="t", total=5, per_request=3) == []


def test_no_budget_allows_everything(three_and_one: Recording) -> None:
    assert over_budget(three_and_one, test="t") == []


def test_a_total_counts_what_the_test_itself_ran(three_and_one: Recording) -> None:
    (finding,) = over_budget(three_and_one, test="tests/test_a.py::test_a", total=4)

    assert finding.title == "5 statements ran, 4 are allowed"
    assert finding.identity == "query-budget total @ tests/test_a.py::test_a"


def test_a_budget_per_request_names_the_request_that_is_over_it(three_and_one: Recording) -> None:
    (finding,) = over_budget(three_and_one, test="t", per_request=2)

    assert finding.title == "3 statements ran, 2 are allowed"
    assert finding.identity == "query-budget per request @ GET /users"
    assert finding.site is not None


def test_the_evidence_has_the_most_frequent_statement_first(three_and_one: Recording) -> None:
    (finding,) = over_budget(three_and_one, test="t", per_request=2)

    assert finding.evidence == (("2 x", "SELECT a"), ("1 x", "SELECT b"))


def test_nothing_is_allowed_by_a_budget_of_zero(three_and_one: Recording) -> None:
    assert len(over_budget(three_and_one, test="t", total=0, per_request=0)) == 3


def test_the_batches_of_a_statement_count_once(trip: MakeTrip) -> None:
    taken = Recording(round_trips=(trip(request=None), trip(request=None, batch=1)))

    assert over_budget(taken, test="t", total=1) == []
