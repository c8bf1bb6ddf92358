"""What the one real transaction remembers of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.database.rollback.conflicts import stopped_in
from harness.database.rollback.outer import OuterTransaction
from harness.errors import SandboxConflictError


def conflicting() -> OuterTransaction:
    """A test in which a writer rolled back around another's commit."""
    outer = OuterTransaction()
    around, _ = outer.begin(None)
    inner, _ = outer.begin(None)
    for frame in (around, inner):
        outer.note(frame, "INSERT INTO notes VALUES (1)")
    outer.end(inner, is_commit=True, has_failed=False)
    outer.end(around, is_commit=False, has_failed=False)
    return outer


def test_a_conflict_is_remembered_beyond_the_end_of_the_test() -> None:
    outer = conflicting()

    outer.finish()

    assert [conflict.slug for conflict in outer.take_conflicts()] == ["sandbox-conflict"]


def test_a_conflict_is_taken_once() -> None:
    outer = conflicting()
    outer.take_conflicts()

    assert outer.take_conflicts() == []


def test_who_stopped_a_conflict_is_known() -> None:
    (conflict,) = conflicting().take_conflicts()
    assert stopped_in(conflict) != Path(__file__)

    with pytest.raises(SandboxConflictError):
        raise conflict

    assert stopped_in(conflict) == Path(__file__)


def test_a_schema_without_deferred_constraints_costs_a_commit_nothing() -> None:
    outer = OuterTransaction()
    frame, _ = outer.begin(None)
    outer.note(frame, "INSERT INTO notes VALUES (1)")

    assert outer.end(frame, is_commit=True, has_failed=False).sql == f"RELEASE {frame.name}"


def test_a_transaction_that_only_reads_never_asks_for_constraints() -> None:
    outer = OuterTransaction()
    frame, _ = outer.begin(None)
    outer.note(frame, "SELECT 1")

    assert not outer.needs_catalog(frame)


def test_a_connection_that_was_set_up_by_statements_is_outdated_after_the_test() -> None:
    outer = OuterTransaction()
    frame, _ = outer.begin(None)
    outer.note(frame, "SET search_path = shop")

    assert outer.is_outdated
