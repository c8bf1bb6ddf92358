"""What a transaction of the application becomes inside the one transaction of a test.

Pure bookkeeping: which SAVEPOINT, RELEASE and ROLLBACK TO stand for BEGIN, COMMIT and ROLLBACK,
also when transactions do not end in the reverse order of their beginning. What a stack of
savepoints cannot represent is refused, never guessed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.errors import SandboxConflictError

__all__ = ["Frame", "SavepointStack", "is_read", "may_change_schema", "text_of"]

_LEADING = r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*"
_READ = re.compile(
    _LEADING + r"(?:;|$|(?:show|values|set|savepoint|release|rollback)\b"
    r"|select\b(?!.*\bfor\s+(?:update|share|no\s+key|key\s+share))"
    r"|(?:with|explain)\b(?!.*\b(?:insert|update|delete|merge)\b))",
    re.IGNORECASE | re.DOTALL,
)
_CHANGES_ROWS = re.compile(
    _LEADING + r"(?:insert|update|delete|merge|with)\b", re.IGNORECASE | re.DOTALL
)
_WAY_OUT = "end the transactions in the reverse order of their beginning"


def text_of(query: object, context: object = None) -> str:
    """The text of what a driver is asked to run: a string, bytes, or composed of parts."""
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    as_string = getattr(query, "as_string", None)
    return str(as_string(context)) if as_string is not None else str(query)


def is_read(sql: str) -> bool:
    """Whether a statement leaves no trace; a function called by a SELECT is taken not to write."""
    return _READ.match(sql) is not None


def may_change_schema(sql: str) -> bool:
    """Whether prepared statements may be stale after a statement."""
    return not is_read(sql) and _CHANGES_ROWS.match(sql) is None


@dataclass(slots=True, eq=False)
class Frame:
    """One transaction of the application, open as a savepoint."""

    name: str
    owner: str
    """Who began it, for messages: ``"GET /users"`` or ``"the test"``."""
    has_written: bool = False
    is_ended: bool = False
    """Ended while a later transaction was open: released when that one ends."""
    has_inner_commit: bool = False
    """A transaction that began inside it was committed."""
    earlier_writers: set[Frame] = field(default_factory=set)
    """Began earlier and wrote after this one began: undoing this undoes that."""
    has_lost_rows: bool = False
    """A later transaction was rolled back, and some of its own rows with it."""


@dataclass(slots=True, eq=False)
class SavepointStack:
    """The open transactions of one test, the newest last."""

    frames: list[Frame] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def top(self) -> Frame | None:
        """The newest open transaction."""
        return self.frames[-1] if self.frames else None

    def begin(self, owner: str) -> tuple[Frame, str]:
        """Open a transaction.

        Returns:
            The frame and the SQL to run.
        """
        frame = Frame(f"harness_{next(self._numbers)}", owner)
        self.frames.append(frame)
        return frame, f"SAVEPOINT {frame.name}"

    def wrote(self, frame: Frame) -> None:
        """Note that a transaction has written, wherever it is in the stack."""
        frame.has_written = True
        for later in self.frames[self.frames.index(frame) + 1 :]:
            later.earlier_writers.add(frame)

    def commit(self, frame: Frame) -> str:
        """Commit a transaction.

        Returns:
            The SQL to run; empty if the commit must wait for a later transaction to end.

        Raises:
            SandboxConflictError: If some of its rows are gone already.
        """
        if frame.has_lost_rows:
            raise self._conflict(frame, "committed", "after a later one took some of its rows away")
        return self._keep(frame)

    def give_up(self, frame: Frame, *, has_failed: bool = False) -> str:
        """End a transaction after a conflict, so that nobody waits for it: its rows stay.

        Returns:
            The SQL to run.
        """
        undo = f"ROLLBACK TO {frame.name}; " if has_failed and frame is self.top else ""
        return undo + self._keep(frame)

    def _keep(self, frame: Frame) -> str:
        if frame is not self.top:
            frame.is_ended = True
            return ""
        return "; ".join([self._release(frame), *self._release_ended()])

    def rollback(self, frame: Frame, *, has_failed: bool = False) -> str:
        """Roll a transaction back.

        Args:
            frame: The transaction.
            has_failed: Whether the server would take nothing else.

        Raises:
            SandboxConflictError: If that would undo another transaction's commit.
        """
        if frame is not self.top:
            if frame.has_written and frame in self.frames:
                raise self._conflict(frame, "rolled back", "while a later transaction is open")
            frame.is_ended = True
            return ""
        if frame.has_inner_commit and frame.has_written:
            raise self._conflict(
                frame, "rolled back", "after a transaction inside it was committed"
            )
        if frame.earlier_writers and not (frame.has_written or has_failed):
            return self._keep(frame)  # nothing of its own to undo
        if any(earlier.is_ended for earlier in frame.earlier_writers):
            raise self._conflict(frame, "rolled back", "after an earlier one committed inside it")
        for earlier in frame.earlier_writers:
            earlier.has_lost_rows = True
        self.frames.pop()
        undo = f"ROLLBACK TO {frame.name}; RELEASE {frame.name}"
        return "; ".join([undo, *self._release_ended()])

    def _release(self, frame: Frame) -> str:
        """Release the newest savepoint.

        A commit must survive a later rollback of transactions around it that wrote nothing (a
        session that only read is closed, and closing rolls back): those are marked anew, after
        what was committed.
        """
        outermost = len(self.frames) - 1
        if frame.has_written:
            while outermost and not self.frames[outermost - 1].has_written:
                outermost -= 1
            if outermost:
                self.frames[outermost - 1].has_inner_commit = True
        around = self.frames[outermost:-1]
        for kept in around:
            kept.earlier_writers.clear()
        self.frames.pop()
        if not around:
            return f"RELEASE {frame.name}"
        marks = (f"SAVEPOINT {kept.name}" for kept in around)
        return "; ".join([f"RELEASE {around[0].name}", *marks])

    def _release_ended(self) -> Iterator[str]:
        while self.top is not None and self.top.is_ended:
            yield self._release(self.top)

    def _conflict(self, frame: Frame, how: str, when: str) -> SandboxConflictError:
        others = ", ".join(item.owner for item in self.frames if item is not frame)
        return SandboxConflictError(
            f"a transaction ({frame.owner}) was {how} {when} "
            f"({others or 'already ended'}): one connection cannot represent that",
            remedy=_WAY_OUT,
        )
