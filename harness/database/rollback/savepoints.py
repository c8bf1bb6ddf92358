"""What a transaction of the application becomes inside the one transaction of a test.

Pure bookkeeping: which SAVEPOINT, RELEASE and ROLLBACK TO stand for BEGIN, COMMIT and ROLLBACK,
also when transactions do not end in the reverse order of their beginning. What a stack of
savepoints cannot represent is refused, never guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.database.rollback.local_settings import keep, restore, set_aside, take_back
from harness.errors import SandboxConflictError

__all__ = ["Frame", "SavepointStack"]

_WAY_OUT = (
    "end the transactions in the reverse order of their beginning, or give the test a database of "
    'its own: @pytest.mark.database("clone")'
)


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
    has_locked_rows: bool = False
    is_read_only: bool = False
    """It was begun to be; what begins inside it is not."""
    sets_constraints: bool = False
    """It said when constraints are to be checked, which ends with it."""
    settings: list[str] = field(default_factory=list)
    """Names of what it set, or found set around it, until its end."""

    def key(self, name: str) -> str:
        """The setting of ours that keeps what was in effect before."""
        return f"harness.{self.name}_{self.settings.index(name)}"

    def keeping(self, name: str) -> str:
        """SQL that keeps what is in effect now, before it is set for this transaction."""
        if name not in self.settings:
            self.settings.append(name)
        return keep(name, key=self.key(name))

    def restoring(self) -> Iterator[str]:
        """SQL that puts back what was in effect before.

        The latest first: after SET ROLE, the role may not be allowed to undo what came before it.
        """
        return (restore(name, key=self.key(name)) for name in reversed(self.settings))


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
            The frame and the SQL to run. What transactions around it have set is not its own: it
            begins with what was in effect before them.
        """
        frame = Frame(f"harness_{next(self._numbers)}", owner)
        sql = [f"SAVEPOINT {frame.name}"]
        owners = {name: around for around in reversed(self.frames) for name in around.settings}
        for name in reversed(owners):
            sql += [frame.keeping(name), restore(name, key=owners[name].key(name))]
        self.frames.append(frame)
        return frame, "; ".join(sql)

    def around_statement(self, frame: Frame) -> tuple[str, str]:
        """What a statement of a buried transaction needs, to find its own settings in effect.

        Returns:
            The SQL to run before it, and the SQL to run after it.
        """
        owners: dict[str, Frame] = {}
        for later in self.frames[self.frames.index(frame) + 1 :]:
            owners.update({name: later for name in later.settings if name not in owners})
        before = [
            sql
            for name, later in owners.items()
            for sql in (set_aside(name), restore(name, key=later.key(name)))
        ]
        return "; ".join(before), "; ".join(take_back(name) for name in owners)

    def undoing(self) -> Callable[[], None]:
        """Take note of everything, for a commit that the server may refuse.

        Returns:
            Makes it so again.
        """
        frames = [*self.frames]
        flags = [
            (frame.is_ended, frame.has_inner_commit, frame.has_lost_rows, {*frame.earlier_writers})
            for frame in frames
        ]

        def undo() -> None:
            self.frames[:] = frames
            for frame, (ended, inner, lost, writers) in zip(frames, flags, strict=True):
                frame.is_ended, frame.has_inner_commit = ended, inner
                frame.has_lost_rows, frame.earlier_writers = lost, writers

        return undo

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
        # What it set is undone as well, save where its savepoint was marked anew since.
        undo = [f"ROLLBACK TO {frame.name}", *frame.restoring(), f"RELEASE {frame.name}"]
        return "; ".join([*undo, *self._release_ended()])

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
            return "; ".join([*frame.restoring(), f"RELEASE {frame.name}"])
        marks = (f"SAVEPOINT {kept.name}" for kept in around)
        return "; ".join([*frame.restoring(), f"RELEASE {around[0].name}", *marks])

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
