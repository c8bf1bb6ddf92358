"""What tests meet, how each isolation answers, and which test proves it: the source of the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HAZARDS", "Answer", "Hazard", "as_table"]


class Answer(StrEnum):
    """What becomes of a hazard."""

    REAL = "real"
    """As in production."""
    EMULATED = "emulated"
    """Made to look as in production."""
    ADVISED = "advised"
    """Not as in production; the run says so at its end."""
    DIFFERENT = "different"
    """Not as in production, and nothing says so: to be known."""
    REFUSED = "refused"
    """An error at its own line, with the way out."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """One thing that applications do, and that isolation may get wrong."""

    what: str
    rollback: Answer
    proofs: tuple[str, ...]
    """Tests: ``file::name``, in this folder or by their path under ``tests/``."""
    clone: Answer = Answer.REAL


REAL, EMULATED, ADVISED = Answer.REAL, Answer.EMULATED, Answer.ADVISED
DIFFERENT, REFUSED = Answer.DIFFERENT, Answer.REFUSED

HAZARDS = (
    Hazard(
        "the application commits",
        EMULATED,
        ("test_transactions.py::test_what_the_application_commits_is_there_for_all",),
    ),
    Hazard(
        "it rolls back after an IntegrityError and goes on working",
        EMULATED,
        ("test_transactions.py::test_a_rollback_after_an_error_is_followed_by_more_work",),
    ),
    Hazard(
        "two sessions of one request end in any order",
        EMULATED,
        (
            "test_transactions.py::test_two_sessions_end_in_any_order",
            "test_transactions.py::test_writers_that_end_as_begun_both_keep_their_rows",
        ),
    ),
    Hazard(
        "a writer rolls back after another began inside it and committed",
        REFUSED,
        (
            "test_transactions.py::test_a_rollback_around_a_commit_is_refused",
            "test_transactions.py::test_a_rollback_around_a_commit_undoes_its_own_rows",
        ),
    ),
    Hazard(
        "`begin_nested()`, also several deep",
        REAL,
        ("test_transactions.py::test_nested_transactions_undo_their_own_part",),
    ),
    Hazard(
        "Core: `engine.begin()`",
        EMULATED,
        ("test_transactions.py::test_core_transactions_share_the_world",),
    ),
    Hazard(
        "an engine in AUTOCOMMIT",
        EMULATED,
        ("test_transactions.py::test_in_autocommit_statements_stand_for_themselves",),
    ),
    Hazard(
        "a background task with the global session maker",
        EMULATED,
        (
            (
                "test_requests.py::"
                "test_a_background_task_with_the_global_session_maker_shares_the_world"
            ),
        ),
    ),
    Hazard(
        "rows that a global session maker or `engine.begin()` would leave to the next test",
        EMULATED,
        ("test_requests.py::test_what_a_test_left_behind_is_not_found_by_the_next",),
    ),
    Hazard(
        "50 requests at once, which commit and roll back",
        EMULATED,
        ("test_requests.py::test_fifty_requests_at_once_commit_and_roll_back_in_any_order",),
    ),
    Hazard(
        "tasks of the test itself that end their transactions crosswise",
        REFUSED,
        (
            (
                "test_transactions.py::"
                "test_tasks_of_the_test_itself_that_cannot_be_told_apart_are_refused"
            ),
            "test_transactions.py::test_tasks_of_the_test_itself_end_as_they_like",
        ),
    ),
    Hazard(
        "a session that stays open in the test while requests run",
        EMULATED,
        ("test_requests.py::test_requests_run_while_a_session_of_the_test_is_open",),
    ),
    Hazard(
        "a row of an open transaction that others must not see yet",
        DIFFERENT,
        (
            "test_transactions.py::test_a_row_of_an_open_transaction_is_seen_by_others",
            "test_transactions.py::test_a_row_of_an_open_transaction_is_not_seen_by_others",
        ),
    ),
    Hazard(
        "a query that is cancelled or takes too long",
        EMULATED,
        (
            "test_cancellation.py::test_a_time_out_of_asyncio_loses_its_own_transaction_only",
            "test_cancellation.py::test_a_time_out_of_the_server_loses_its_own_transaction_only",
        ),
    ),
    Hazard(
        "a client that goes away",
        EMULATED,
        ("test_requests.py::test_a_client_that_goes_away_loses_its_own_transaction_only",),
    ),
    Hazard(
        "deferred constraints and constraint triggers",
        EMULATED,
        (
            "test_commit.py::test_a_deferred_constraint_is_checked_at_commit",
            "test_commit.py::test_a_deferred_constraint_trigger_is_fired_by_a_commit",
        ),
    ),
    Hazard(
        "`SET LOCAL` and `set_config(…, true)`, row-level security with two tenants",
        EMULATED,
        (
            "test_commit.py::test_row_level_security_keeps_two_tenants_apart",
            "test_commit.py::test_what_is_set_for_a_transaction_ends_with_it",
        ),
    ),
    Hazard(
        "`commit` events of engines",
        REAL,
        ("test_commit.py::test_the_commit_event_of_an_engine_is_fired",),
    ),
    Hazard(
        "sync endpoints in the thread pool",
        EMULATED,
        ("test_blocking_drivers.py::test_a_sync_endpoint_in_the_thread_pool_shares_the_world",),
    ),
    Hazard(
        "two drivers in one test",
        REFUSED,
        (
            "test_server.py::test_a_second_driver_is_refused",
            "test_server.py::test_a_second_driver_is_as_good_as_the_first",
        ),
    ),
    Hazard(
        "LISTEN and NOTIFY",
        ADVISED,
        (
            "test_server.py::test_a_notification_is_not_delivered",
            "test_server.py::test_a_notification_is_delivered",
        ),
    ),
    Hazard(
        "SERIALIZABLE and REPEATABLE READ",
        ADVISED,
        (
            "test_server.py::test_no_transaction_fails_to_serialise",
            "test_server.py::test_a_transaction_fails_to_serialise",
        ),
    ),
    Hazard(
        "advisory locks",
        ADVISED,
        (
            "test_server.py::test_an_advisory_lock_does_not_keep_another_transaction_out",
            "test_server.py::test_an_advisory_lock_keeps_another_transaction_out",
        ),
    ),
    Hazard(
        "FOR UPDATE, SKIP LOCKED and NOWAIT in two transactions at once",
        ADVISED,
        (
            "test_server.py::test_a_locked_row_is_not_skipped",
            "test_server.py::test_a_locked_row_is_skipped",
        ),
    ),
    Hazard(
        "VACUUM, CREATE INDEX CONCURRENTLY",
        REFUSED,
        (
            "test_server.py::test_what_cannot_run_in_a_transaction_is_refused",
            "test_server.py::test_what_cannot_run_in_a_transaction_runs",
        ),
    ),
    Hazard(
        "`now()` over several requests",
        DIFFERENT,
        (
            "test_requests.py::test_now_is_one_time_for_a_whole_test",
            "test_requests.py::test_now_is_the_time_of_each_transaction",
        ),
    ),
    Hazard(
        "sequences (in rollback mode ids go on rising from test to test)",
        REAL,
        ("test_server.py::test_a_sequence_goes_on_after_a_rollback",),
    ),
    Hazard(
        "DDL in a test, ENUM types",
        EMULATED,
        (
            "test_server.py::test_tables_and_enums_are_made_anew_by_each_test",
            "test_server.py::test_a_column_that_is_added_by_text_is_there_at_once",
        ),
    ),
    Hazard("COPY", EMULATED, ("test_server.py::test_copy_is_part_of_its_transaction",)),
    Hazard(
        "cursors of the server",
        REAL,
        ("test_server.py::test_rows_come_by_a_cursor_of_the_server",),
    ),
    Hazard(
        "Starlette's TestClient inside a coroutine",
        REFUSED,
        (
            "test_processes.py::test_a_test_client_inside_a_coroutine_is_refused",
            "test_processes.py::test_a_test_client_inside_a_coroutine_works_on_a_clone",
        ),
    ),
    Hazard(
        "a task that uses the database after its test has ended",
        REFUSED,
        ("test_processes.py::test_a_task_that_outlives_its_test_is_refused",),
        clone=REFUSED,
    ),
    Hazard(
        "an event loop for each test",
        REAL,
        (
            (
                "plugin/test_loops_of_plugins.py::"
                "test_with_function_loops_as_pytest_asyncio_has_them_by_default"
            ),
            "test_processes.py::test_every_clone_may_have_a_loop_of_its_own",
        ),
    ),
    Hazard(
        "`xdist -n 2`: tests that take the same unique keys in opposite order",
        REAL,
        ("test_processes.py::test_workers_that_take_the_same_keys_in_opposite_order_never_meet",),
    ),
    Hazard(
        "tests in any order",
        REAL,
        ("test_processes.py::test_the_order_of_tests_makes_no_difference",),
    ),
    Hazard(
        "`kill -9` of a run on an embedded server",
        REAL,
        ("database/test_reaper.py::test_killing_the_only_owner_leaves_no_process_and_no_folder",),
    ),
)


def as_table() -> str:
    """The table of the documentation."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield '| what happens in a test | `"rollback"` | `"clone"` |'
    yield "| --- | --- | --- |"
    for hazard in HAZARDS:
        yield f"| {hazard.what} | {hazard.rollback} | {hazard.clone} |"
