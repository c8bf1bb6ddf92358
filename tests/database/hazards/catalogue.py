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
        (
            "test_transactions.py::test_what_the_application_commits_is_there_for_all",
            "test_blocking_transactions.py::test_what_the_application_commits_is_there_for_all",
        ),
    ),
    Hazard(
        "it rolls back after an IntegrityError and goes on working",
        EMULATED,
        (
            "test_transactions.py::test_a_rollback_after_an_error_is_followed_by_more_work",
            "test_blocking_transactions.py::test_a_rollback_after_an_error_is_followed_by_more_work",
        ),
    ),
    Hazard(
        "two sessions of one request end in any order",
        EMULATED,
        (
            "test_transactions.py::test_two_sessions_end_in_any_order",
            "test_transactions.py::test_writers_that_end_as_begun_both_keep_their_rows",
            "test_blocking_transactions.py::test_two_sessions_end_in_any_order",
        ),
    ),
    Hazard(
        "a writer rolls back after another began inside it and committed",
        REFUSED,
        (
            "test_transactions.py::test_a_rollback_around_a_commit_is_refused",
            "test_transactions.py::test_a_rollback_around_a_commit_undoes_its_own_rows",
            "test_blocking_transactions.py::test_a_rollback_around_a_commit_is_refused",
            "test_blocking_transactions.py::test_a_rollback_around_a_commit_undoes_its_own_rows",
        ),
    ),
    Hazard(
        "`begin_nested()`, also several deep",
        REAL,
        (
            "test_transactions.py::test_nested_transactions_undo_their_own_part",
            "test_blocking_transactions.py::test_nested_transactions_undo_their_own_part",
        ),
    ),
    Hazard(
        "Core: `engine.begin()`",
        EMULATED,
        (
            "test_transactions.py::test_core_transactions_share_the_world",
            "test_blocking_transactions.py::test_core_transactions_share_the_world",
        ),
    ),
    Hazard(
        "an engine in AUTOCOMMIT",
        EMULATED,
        (
            "test_transactions.py::test_in_autocommit_statements_stand_for_themselves",
            "test_blocking_transactions.py::test_in_autocommit_statements_stand_for_themselves",
        ),
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
        (
            "test_requests.py::test_what_a_test_left_behind_is_not_found_by_the_next",
            "test_blocking_transactions.py::test_what_a_test_left_behind_is_not_found_by_the_next",
        ),
    ),
    Hazard(
        "50 requests at once, which commit and roll back",
        EMULATED,
        ("test_requests.py::test_fifty_requests_at_once_commit_and_roll_back_in_any_order",),
    ),
    Hazard(
        "tasks of the test itself that end their transactions crosswise",
        EMULATED,
        (
            "test_tasks.py::test_tasks_of_the_test_itself_end_as_they_like",
            "test_tasks.py::test_tasks_of_a_group_end_as_they_like",
            "test_tasks.py::test_tasks_of_a_group_of_anyio_end_as_they_like",
            "test_tasks.py::test_the_test_itself_takes_turns_with_a_task",
        ),
    ),
    Hazard(
        "threads of the test itself that end their transactions crosswise",
        EMULATED,
        (
            "test_threads.py::test_threads_of_the_test_itself_end_as_they_like",
            "test_threads.py::test_a_thread_rolls_back_what_it_did_and_nothing_else",
        ),
    ),
    Hazard(
        "tasks that wait for each other, each with a transaction open",
        REFUSED,
        (
            "plugin/test_turns.py::test_tasks_that_wait_for_each_other_are_refused_by_name",
            "test_tasks.py::test_two_tasks_wait_for_what_the_other_has_begun",
        ),
    ),
    Hazard(
        "a session that stays open in the test while requests run",
        EMULATED,
        (
            "test_requests.py::test_requests_run_while_a_session_of_the_test_is_open",
            "test_blocking_transactions.py::test_requests_run_while_a_session_of_the_test_is_open",
        ),
    ),
    Hazard(
        "a session of a fixture wider than a test, or a global one, in several tests",
        EMULATED,
        (
            "test_wider_sessions.py::test_in_every_test_it_sees_what_the_application_commits_there",
            "test_wider_sessions.py::test_what_it_writes_in_a_test_is_undone",
            "test_wider_sessions.py::test_what_it_commits_between_tests_is_the_base_line",
            "test_wider_sessions.py::test_a_global_one_that_a_test_is_first_to_use_begins_anew_in_the_next",
            "plugin/test_wider_sessions.py::test_a_session_of_the_whole_run_works_in_all_tests",
        ),
        EMULATED,
    ),
    Hazard(
        "objects that such a session keeps in memory from test to test",
        ADVISED,
        ("test_wider_sessions.py::test_what_it_keeps_in_memory_is_advised_on",),
        ADVISED,
    ),
    Hazard(
        "rows that a fixture wider than a test has not committed",
        ADVISED,
        (
            "test_wider_sessions.py::test_what_a_fixture_has_not_committed_is_not_lost",
            "plugin/test_wider_sessions.py::test_uncommitted_rows_are_not_left_out_in_silence",
        ),
        ADVISED,
    ),
    Hazard(
        "a session of a test that is used after it",
        REFUSED,
        (
            "test_wider_sessions.py::test_one_of_a_test_is_refused_in_the_next_and_says_whose_it_was",
            "test_wider_sessions.py::test_one_of_a_test_is_refused_after_it",
        ),
        REFUSED,
    ),
    Hazard(
        "a row of an open transaction that others must not see yet",
        DIFFERENT,
        (
            "test_transactions.py::test_a_row_of_an_open_transaction_is_seen_by_others",
            "test_transactions.py::test_a_row_of_an_open_transaction_is_not_seen_by_others",
            "test_blocking_transactions.py::test_a_row_of_an_open_transaction_is_seen_by_others",
            "test_blocking_transactions.py::test_a_row_of_an_open_transaction_is_not_seen_by_others",
        ),
    ),
    Hazard(
        "a query that is cancelled or takes too long",
        EMULATED,
        (
            "test_cancellation.py::test_a_time_out_of_asyncio_loses_its_own_transaction_only",
            "test_cancellation.py::test_a_time_out_of_the_server_loses_its_own_transaction_only",
            "test_blocking_drivers.py::test_a_statement_that_takes_too_long_loses_its_own_transaction_only",
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
            "test_blocking_drivers.py::test_a_deferred_constraint_is_checked_at_commit_and_deferred_again",
        ),
    ),
    Hazard(
        "`SET LOCAL` and `set_config(…, true)`, row-level security with two tenants",
        EMULATED,
        (
            "test_commit.py::test_row_level_security_keeps_two_tenants_apart",
            "test_commit.py::test_what_is_set_for_a_transaction_ends_with_it",
            "test_blocking_drivers.py::test_what_is_set_for_a_transaction_ends_with_it",
        ),
    ),
    Hazard(
        "`commit` events of engines",
        REAL,
        (
            "test_commit.py::test_the_commit_event_of_an_engine_is_fired",
            "test_blocking_transactions.py::test_the_commit_event_of_an_engine_is_fired",
        ),
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
            "test_blocking_server.py::test_a_notification_is_advised_on",
            "test_blocking_server.py::test_a_notification_is_delivered",
        ),
    ),
    Hazard(
        "SERIALIZABLE and REPEATABLE READ",
        ADVISED,
        (
            "test_server.py::test_no_transaction_fails_to_serialise",
            "test_server.py::test_a_transaction_fails_to_serialise",
            "test_blocking_server.py::test_no_transaction_fails_to_serialise",
            "test_blocking_server.py::test_a_transaction_fails_to_serialise",
        ),
    ),
    Hazard(
        "READ COMMITTED",
        REAL,
        ("test_execution_options.py::test_the_level_of_tests_is_real_and_not_advised_on",),
    ),
    Hazard(
        "`postgresql_readonly` of a connection, a session or an engine",
        EMULATED,
        (
            "test_execution_options.py::test_a_read_only_connection_may_not_write",
            "test_execution_options.py::test_a_read_only_connection_that_blocks_may_not_write",
            (
                "test_execution_options.py::"
                "test_a_read_only_transaction_keeps_nobody_else_from_writing"
            ),
        ),
    ),
    Hazard(
        "`postgresql_deferrable`, which has a meaning with SERIALIZABLE and read only",
        ADVISED,
        (
            ("test_execution_options.py::test_an_engine_may_be_strict_read_only_and_deferrable"),
            (
                "test_execution_options.py::"
                "test_a_strict_level_is_advised_on_wherever_it_is_asked_for"
            ),
        ),
    ),
    Hazard(
        "advisory locks",
        ADVISED,
        (
            "test_server.py::test_an_advisory_lock_does_not_keep_another_transaction_out",
            "test_server.py::test_an_advisory_lock_keeps_another_transaction_out",
            "test_blocking_server.py::test_an_advisory_lock_keeps_another_transaction_out",
        ),
    ),
    Hazard(
        "FOR UPDATE, SKIP LOCKED and NOWAIT in two transactions at once",
        ADVISED,
        (
            "test_server.py::test_a_locked_row_is_not_skipped",
            "test_server.py::test_a_locked_row_is_skipped",
            "test_blocking_server.py::test_a_locked_row_is_not_skipped",
            "test_blocking_server.py::test_a_locked_row_is_skipped",
        ),
    ),
    Hazard(
        "VACUUM, CREATE INDEX CONCURRENTLY",
        REFUSED,
        (
            "test_server.py::test_what_cannot_run_in_a_transaction_is_refused",
            "test_server.py::test_what_cannot_run_in_a_transaction_runs",
            "test_blocking_drivers.py::test_what_needs_to_be_outside_of_transactions_runs",
        ),
    ),
    Hazard(
        "`now()` over several requests",
        DIFFERENT,
        (
            "test_requests.py::test_now_is_one_time_for_a_whole_test",
            "test_requests.py::test_now_is_the_time_of_each_transaction",
            "test_blocking_transactions.py::test_now_is_one_time_for_a_whole_test",
            "test_blocking_transactions.py::test_now_is_the_time_of_each_transaction",
        ),
    ),
    Hazard(
        "sequences (in rollback mode ids go on rising from test to test)",
        REAL,
        (
            "test_server.py::test_a_sequence_goes_on_after_a_rollback",
            "test_blocking_server.py::test_a_sequence_goes_on_after_a_rollback",
        ),
    ),
    Hazard(
        "DDL in a test, ENUM types",
        EMULATED,
        (
            "test_server.py::test_tables_and_enums_are_made_anew_by_each_test",
            "test_server.py::test_a_column_that_is_added_by_text_is_there_at_once",
            "test_blocking_server.py::test_tables_and_enums_are_made_anew_by_each_test",
            "test_blocking_server.py::test_a_column_that_is_added_by_text_is_there_at_once",
        ),
    ),
    Hazard(
        "COPY",
        EMULATED,
        (
            "test_server.py::test_copy_is_part_of_its_transaction",
            "test_blocking_server.py::test_copy_is_part_of_its_transaction",
        ),
    ),
    Hazard(
        "cursors of the server",
        REAL,
        (
            "test_server.py::test_rows_come_by_a_cursor_of_the_server",
            "test_blocking_server.py::test_rows_come_by_a_cursor_of_the_server",
        ),
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
        "a raw driver, `psql` or another process on the database of the tests",
        REFUSED,
        (
            (
                "plugin/test_escapes.py::"
                "test_a_connection_past_the_engine_is_refused_at_its_own_line"
            ),
            "plugin/test_escapes.py::test_a_test_in_clone_mode_seals_nothing",
        ),
    ),
    Hazard(
        "an engine on another database",
        REFUSED,
        (
            "database/test_rollback.py::test_a_database_that_is_not_the_tests_own_is_refused",
            "database/test_clones.py::test_a_connection_to_another_database_is_refused",
        ),
        clone=REFUSED,
    ),
    Hazard(
        "a fire-and-forget task that still runs at the end of its test",
        REFUSED,
        (
            "plugin/test_live_tasks.py::test_a_forgotten_task_is_named_and_ended",
            "test_processes.py::test_a_task_that_outlives_its_test_is_refused",
        ),
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
