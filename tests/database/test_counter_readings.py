"""The difference of two readings: what was added, and when it is not all that ran."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.server_tally import ServerTally
from harness.database.counter_readings import Entry, Numbers, Reading, difference
from harness.findings import Verdict

ONE, TWO = Entry("shop", 1), Entry("shop", 2)
CLERKS = Entry("clerk", 1)
TEXTS = {
    ONE: "SELECT a FROM t WHERE a IN ($1)",
    TWO: "SELECT a FROM t WHERE a IN ($1, $2)",
    CLERKS: "SELECT 1",
}


FIRST = Reading(7, evicted=3, reset_at="monday", counters={ONE: Numbers(5, 50, 0.5)}, texts=TEXTS)


def counting(**numbers: Numbers) -> Reading:
    """A later reading, with entries by name."""
    entries = {"one": ONE, "two": TWO, "clerks": CLERKS}
    return replace(FIRST, counters={entries[name]: each for name, each in numbers.items()})


def between(before: Reading, after: Reading) -> ServerTally:
    return difference(before, after, database="shop", roles={"shop"})


def test_only_what_was_added_counts() -> None:
    tally = between(FIRST, counting(one=Numbers(7, 53, 0.75)))

    (shape,) = tally.shapes
    assert (shape.calls, shape.rows, shape.seconds) == (2, 3, 0.25)
    assert (tally.verdict, tally.reason) == (Verdict.PASS, "")
    assert tally.other_roles == ()


def test_nothing_is_left_of_what_did_not_run() -> None:
    assert between(FIRST, FIRST) == ServerTally("shop", Verdict.PASS)


def test_entries_of_one_shape_are_added_up() -> None:
    after = counting(one=Numbers(6, 51, 0.5), two=Numbers(3, 4, 0.25))

    (shape,) = between(FIRST, after).shapes

    assert shape.shape.text == "SELECT a FROM t WHERE a IN (?)"
    assert (shape.calls, shape.rows, shape.seconds) == (4, 5, 0.25)


def test_a_role_that_was_not_asked_for_is_counted_apart() -> None:
    after = counting(one=Numbers(5, 50, 0.5), clerks=Numbers(2, 2, 0.1))

    tally = between(FIRST, after)

    assert (tally.calls, tally.other_roles) == (0, (("clerk", 2),))


def test_a_text_that_the_server_does_not_tell_is_counted_as_unknown() -> None:
    after = replace(counting(one=Numbers(6, 51, 0.5)), texts={ONE: None})

    (shape,) = between(FIRST, after).shapes

    assert (shape.shape.text, shape.calls) == ("(unknown)", 1)


def test_the_servers_rounding_takes_no_time_away() -> None:
    (shape,) = between(FIRST, counting(one=Numbers(6, 50, 0.4999))).shapes

    assert shape.seconds == 0


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (replace(FIRST, evicted=5), "2 times: raise pg_stat_statements.max"),
        (replace(FIRST, reset_at="tuesday"), "somebody reset pg_stat_statements"),
        (replace(FIRST, evicted=0), "somebody reset pg_stat_statements"),
        (replace(FIRST, database_oid=8), "made anew"),
        (replace(FIRST, database_oid=None), "dropped"),
        (counting(), "reset single entries"),
        (counting(one=Numbers(4, 40, 0.4)), "reset single entries"),
    ],
    ids=["evicted", "reset", "crashed", "made anew", "dropped", "one entry gone", "one lower"],
)
def test_lost_counts_make_the_difference_inconclusive(after: Reading, reason: str) -> None:
    tally = between(FIRST, after)

    assert tally.verdict is Verdict.INCONCLUSIVE
    assert reason in tally.reason


def test_a_database_that_was_made_meanwhile_is_whole() -> None:
    before = replace(FIRST, database_oid=None, counters={})

    assert between(before, FIRST).verdict is Verdict.PASS
