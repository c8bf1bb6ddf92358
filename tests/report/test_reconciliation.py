"""Two counts in ten lines: what stands in them, and that they fit."""

from __future__ import annotations

from dataclasses import replace

from harness.capture.fingerprint import fingerprint
from harness.checks.reconciliation import Reconciliation, ShapeMatch, Share
from harness.checks.server_origins import Origin
from harness.findings import Verdict
from harness.report.reconciliation import reconciliation_as_text

LONG = "UPDATE todos SET title=?, done=?, due_at=?, updated_at=? WHERE todos.id = ?"
FOUND = Reconciliation(
    "shop",
    Verdict.PASS,
    seen=12,
    ran=41,
    seconds=0.0032,
    shares=(
        Share(Origin.TRANSACTIONS, (("BEGIN", 6), ("COMMIT", 4), ("ROLLBACK", 2))),
        Share(Origin.PRE_PING, (("BEGIN", 4), ("ROLLBACK", 4))),
        Share(Origin.EXECUTEMANY, ((LONG, 7), ("INSERT INTO tags (name) VALUES (?)", 1))),
        Share(Origin.OTHERS, (("VACUUM", 2),)),
    ),
)


def match(*, seen: int, ran: int, failed: int = 0, streamed: int = 0) -> ShapeMatch:
    shape = fingerprint("SELECT users.id FROM users", is_compiled=True)
    return ShapeMatch(shape, seen, failed, streamed, parameter_sets=seen, ran=ran)


def test_both_counts_come_first_and_then_what_makes_the_difference() -> None:
    assert reconciliation_as_text(FOUND).splitlines() == [
        "SQLAlchemy saw 12 round trips, the server ran 41 statements in 3.2 ms",
        "    +12 transactions     6 BEGIN, 4 COMMIT, 2 ROLLBACK",
        "     +8 pre-ping         4 BEGIN, 4 ROLLBACK",
        "     +8 executemany      7 UPDATE todos SET title=?, done ..., and 1 other shape",
        "     +2 others           2 VACUUM",
    ]


def test_what_the_server_did_not_count_is_told_with_the_reason() -> None:
    shapes = (
        match(seen=3, ran=1, failed=2),
        match(seen=1, ran=0, streamed=1),
        match(seen=4, ran=0),
    )

    text = reconciliation_as_text(replace(FOUND, shapes=shapes))

    assert text.splitlines()[-1] == (
        "     -7 not counted      2 failed; 1 streamed; 4 by its text: SELECT users.i ..."
    )


def test_other_roles_and_what_is_not_counted_at_all_are_told() -> None:
    found = replace(FOUND, other_roles=(("clerk", 3), ("cron", 1)), has_utility=False)

    assert reconciliation_as_text(found).splitlines()[-2:] == [
        "not among them, of other roles: 3 by clerk, 1 by cron",
        "BEGIN, COMMIT and DDL are not counted: pg_stat_statements.track_utility is off",
    ]


def test_skipped_counts_are_one_line_with_the_reason() -> None:
    found = Reconciliation("shop", Verdict.SKIPPED, "pg_stat_statements is not loaded")

    assert reconciliation_as_text(found) == (
        "server counts skipped: pg_stat_statements is not loaded"
    )


def test_inconclusive_counts_are_told_behind_the_doubt() -> None:
    first, second, *_ = reconciliation_as_text(
        replace(FOUND, verdict=Verdict.INCONCLUSIVE, reason="somebody reset it")
    ).splitlines()

    assert first == "server counts inconclusive: somebody reset it"
    assert second.startswith("SQLAlchemy saw 12")


def test_it_never_takes_more_than_ten_lines_of_eighty_columns() -> None:
    found = replace(
        FOUND,
        verdict=Verdict.INCONCLUSIVE,
        reason="reset",
        shares=tuple(Share(origin, ((LONG, 10_000), ("SELECT ?", 1))) for origin in Origin),
        shapes=(match(seen=9, ran=0),),
        other_roles=(("clerk", 3),) * 30,
        has_utility=False,
    )

    lines = reconciliation_as_text(found).splitlines()

    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    assert lines[6] == (
        "+40,004 more             10,001 driver, 10,001 first connection, 10,001 serv ..."
    )
