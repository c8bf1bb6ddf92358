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

__all__ = ["Frame", "SavepointStack", "is_read"]

_READ = re.compile(
    r"\s*(?:select|show|values|explain|set|savepoint|release|rollback)\b"
    r"(?!.*\bfor\s+(?:update|share|no\s+key|key\s+share))",
    re.IGNORECASE | re.DOTALL,
)
_WAY_OUT = "end the transactions in the reverse order of their beginning"


def is_read(sql: str) -> bool:
    """Whether a statement leaves no trace; a function called by a SELECT is taken not to write."""
    return _READ.match(sql) is not None


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

    def commit(self, frame: Frame) -> str:
        """Commit a transaction.

        Returns:
            The SQL to run; empty if the commit must wait for a later transaction to end.
        """
        if frame is not self.top:
            frame.is_ended = True
            return ""
        return "; ".join([self._release(frame), *self._release_ended()])

    def rollback(self, frame: Frame) -> str:
        """Roll a transaction back.

        Raises:
            SandboxConflictError: If that would undo another transaction's commit.
        """
        if frame is not self.top:
            if frame.has_written and frame in self.frames:
                raise self._conflict(frame, "while a later transaction is open")
            frame.is_ended = True
            return ""
        if frame.has_inner_commit and frame.has_written:
            raise self._conflict(frame, "after a transaction inside it was committed")
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
        self.frames.pop()
        if not around:
            return f"RELEASE {frame.name}"
        marks = (f"SAVEPOINT {kept.name}" for kept in around)
        return "; ".join([f"RELEASE {around[0].name}", *marks])

    def _release_ended(self) -> Iterator[str]:
        while self.top is not None and self.top.is_ended:
            yield self._release(self.top)

    def _conflict(self, frame: Frame, when: str) -> SandboxConflictError:
        others = ", ".join(item.owner for item in self.frames if item is not frame)
        return SandboxConflictError(
            f"a transaction that wrote rows ({frame.owner}) was rolled back {when} "
            f"({others or 'already ended'}): one connection cannot represent that",
            remedy=_WAY_OUT,
        )
