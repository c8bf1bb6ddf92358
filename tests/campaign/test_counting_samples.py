"""From what clients saw and somebody counted to the samples that a check compares."""

from __future__ import annotations

from harness.campaign.counting.counted import RouteCount
from harness.campaign.counting.samples import SizedLoad, route_samples
from harness.findings import SourceLine
from harness.load.tally import Answer, Tally

ROUTE = "GET /posts"
ENDPOINT = SourceLine("shop/posts.py", 12, "list_posts")


def load(
    *,
    rows: int = 0,
    answers: tuple[Answer, ...] = (Answer.OK,) * 4,
    items: int | None = 2,
    counted: RouteCount | None = None,
) -> SizedLoad:
    """Four good answers with two items and three statements each, unless said otherwise."""
    tally = Tally()
    for answer in answers:
        tally.add(ROUTE, answer, seconds=0.01, ended_seconds=0.5, items=items)
    counts = {ROUTE: counted or RouteCount(4, 12)}
    return SizedLoad(rows, tally, counts, {ROUTE: ENDPOINT})


def test_statements_and_items_are_told_per_request() -> None:
    (found,) = route_samples([load(), load(rows=5, items=5, counted=RouteCount(4, 24))])

    assert [(item.rows, item.items, item.per_request) for item in found.samples] == [
        (0, 2, 3),
        (5, 5, 6),
    ]
    assert (found.route, found.endpoint, found.failure) == (ROUTE, ENDPOINT, "")


def test_answers_that_are_not_good_make_it_a_failure() -> None:
    (found,) = route_samples([load(answers=(Answer.OK, Answer.OK, Answer.HUNG))])

    assert found.failure == "1 of 3 requests had no good answer"


def test_a_refusal_is_none() -> None:
    (found,) = route_samples([load(answers=(Answer.REFUSED,) * 4)])

    assert (found.failure, found.refusal) == ("", "4 of 4 requests were refused (4xx)")


def test_generated_rows_that_it_cannot_answer_with_are_not_its_failure() -> None:
    (found,) = route_samples([load(), load(rows=5, answers=(Answer.ERROR,) * 4)])

    assert found.failure == ""
    assert "once rows had been made up" in found.refusal


def test_it_is_its_failure_where_it_failed_before() -> None:
    bad = (Answer.ERROR,) * 4

    (found,) = route_samples([load(answers=bad), load(rows=5, answers=bad)])

    assert found.failure == "4 of 4 requests had no good answer"


def test_it_is_its_failure_where_nobody_requested_it_before() -> None:
    (found,) = route_samples([load(answers=()), load(rows=5, answers=(Answer.ERROR,) * 4)])

    assert found.failure == "4 of 4 requests had no good answer"


def test_requests_of_somebody_else_make_the_counts_useless() -> None:
    (found,) = route_samples([load(counted=RouteCount(9, 27))])

    assert "more requests than were sent" in found.failure


def test_a_route_that_nobody_counted_is_a_failure() -> None:
    uncounted = SizedLoad(0, load().tally, {"GET /other": RouteCount(4, 12)}, {})

    (found,) = route_samples([uncounted])

    assert found.failure == "its requests were not counted under this name"
