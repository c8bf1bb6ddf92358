"""The errors of transactions that one connection cannot represent, and who stopped them.

In a module of their own so that the words stand together, and apart from the decisions.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import RefusedStatementError, SandboxConflictError

__all__ = [
    "begun_in_failed",
    "not_in_a_block",
    "of_an_earlier_test",
    "stopped_in",
    "used_after_test",
    "violated_around",
    "violated_inside",
    "waited_in_vain",
]

_CLONE = '@pytest.mark.database("clone") gives the test a database of its own'
_CLOSE = (
    "close sessions in the test that opened them; one that a fixture wider than a test has opened "
    "begins anew in each test"
)


def stopped_in(conflict: SandboxConflictError) -> Path | None:
    """The file whose code caught a conflict; None where it was never raised.

    An exception's traceback begins in the frame that it has reached: in a test's own file where the
    test expects it, in the application's where that has swallowed it.
    """
    traceback = conflict.__traceback__
    return Path(traceback.tb_frame.f_code.co_filename) if traceback is not None else None


def waited_in_vain(who: str, *, holder: str, wait_seconds: float) -> SandboxConflictError:
    """A turn did not come."""
    return SandboxConflictError(
        f"{who} waited {wait_seconds:g} s for the transaction of {holder} to end: one connection "
        "serves the whole test",
        remedy=f"if both must be open at once, {_CLONE}; if it only takes longer, raise "
        "wait_seconds in [tool.harness]",
    )


def begun_in_failed(who: str, *, around: str) -> SandboxConflictError:
    """A transaction cannot open inside another that has failed."""
    return SandboxConflictError(
        f"{who} began a transaction while that of {around} had failed and was still open",
        remedy="roll a session back after an error, before others go on",
    )


def violated_around(around: str) -> SandboxConflictError:
    """A commit is refused for what a transaction around it has done."""
    return SandboxConflictError(
        f"a commit checked the deferred constraints, and one is violated by rows of {around}, "
        "whose transaction is still open around it",
        remedy="commit what the test arranges before others commit, or complete it",
    )


def violated_inside() -> SandboxConflictError:
    """A commit would have to be undone, with a later transaction inside it."""
    return SandboxConflictError(
        "a deferred constraint is violated at a commit while a later transaction is open: one "
        "connection cannot undo the one without the other",
        remedy=_CLONE,
    )


def of_an_earlier_test(who: str) -> SandboxConflictError:
    """A transaction goes on after the test that began it."""
    return SandboxConflictError(
        "a session that was opened in an earlier test is still in use: its transaction is that of "
        f"{who}, and was undone with its test",
        remedy=_CLOSE,
    )


def used_after_test() -> SandboxConflictError:
    """A session is used while no test is running."""
    return SandboxConflictError("a session of a test is used after the test", remedy=_CLOSE)


def not_in_a_block(what: str) -> RefusedStatementError:
    """A statement cannot run here, and would have run for real."""
    return RefusedStatementError(
        f"{what} cannot run inside a transaction block, and in rollback isolation a whole test is "
        "inside one",
        remedy=_CLONE,
    )
