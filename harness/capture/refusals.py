"""Loads that the ORM refused: MissingGreenlet, DetachedInstanceError and ``lazy="raise"``.

No SQL runs, so no event of the engine tells, and pydantic turns the exception into a validation
error that names a field but neither the relationship nor the object. The moment at which the
exception is made is the only one at which all is known; so the constructors of these exception
classes, public ones, are listened to while anyone records, and are as before afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from types import FrameType, MethodType
from typing import Any

from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.orm.exc import DetachedInstanceError

from harness.capture.awaited import AwaitedStacks
from harness.capture.guard import Guard
from harness.capture.orm import Target, target_in
from harness.capture.phases import Moment
from harness.capture.recording import RefusalReason
from harness.capture.requests import ActiveRequest, active_request
from harness.capture.stacks import Stack, StackBook

__all__ = ["NotedRefusal", "RefusalListener"]

_MOST_KEPT = 1_000
_FORBIDDEN = ("is not available due to lazy=", "is not available due to raiseload=")


@dataclass(frozen=True, slots=True)
class NotedRefusal:
    """One refused load, as it is noted."""

    reason: RefusalReason
    at_seconds: float
    target: Target | None
    stack: Stack
    request: ActiveRequest | None
    moment: Moment


@dataclass(slots=True, eq=False)
class RefusalListener:
    """Notes every refused load of the process."""

    stacks: StackBook
    guard: Guard = field(default_factory=Guard)
    noted: list[NotedRefusal] = field(default_factory=list)
    _awaited: AwaitedStacks = field(init=False)

    def __post_init__(self) -> None:
        self._awaited = AwaitedStacks(self.stacks.source)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note what is refused inside the block."""
        note = self.guard.around(self._note)
        with _told(InvalidRequestError, note), _told(DetachedInstanceError, note):
            yield

    def _note(self, error: Exception, frame: FrameType | None) -> None:
        reason = _reason(error)
        if reason is None or len(self.noted) >= _MOST_KEPT:
            return
        request, stack = active_request(), self.stacks.take(frame)
        self.noted.append(
            NotedRefusal(
                reason=reason,
                at_seconds=perf_counter(),
                target=target_in(frame),
                stack=stack,
                request=request,
                moment=Moment.of(request, self._awaited.meanwhile(stack, request)),
            )
        )


def _reason(error: Exception) -> RefusalReason | None:
    if isinstance(error, MissingGreenlet):
        return RefusalReason.MISSING_GREENLET
    if isinstance(error, DetachedInstanceError):
        return RefusalReason.DETACHED
    if any(words in str(error.args[:1]) for words in _FORBIDDEN):
        return RefusalReason.FORBIDDEN
    return None


class _ToldInit:
    """Stands in for the constructor of an exception class while anyone listens."""

    def __init__(self, owner: type[Exception]) -> None:
        self.owner = owner
        self.own = vars(owner).get("__init__")
        self.listeners: list[Callable[[Exception, FrameType | None], None]] = []

    def __get__(self, error: Exception | None, owner: type[Exception]) -> Any:  # noqa: ANN401
        if error is None:
            return self
        return MethodType(self, error)

    # Subclasses call `InvalidRequestError.__init__(self, ...)`, SQLAlchemy's own among them.
    def __call__(self, error: Exception, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if self.own is None:
            super(self.owner, error).__init__(*args, **kwargs)
        else:
            self.own(error, *args, **kwargs)
        for listener in tuple(self.listeners):
            # None where SQLAlchemy's compiled code makes it at the bottom of a greenlet.
            listener(error, sys._getframe().f_back)  # noqa: SLF001 - the documented way to a cheap stack


@contextmanager
def _told(
    owner: type[Exception], listener: Callable[[Exception, FrameType | None], None]
) -> Iterator[None]:
    told = vars(owner).get("__init__")
    if not isinstance(told, _ToldInit):
        told = _ToldInit(owner)
        owner.__init__ = told  # type: ignore[method-assign,assignment] # undone below
    told.listeners.append(listener)
    try:
        yield
    finally:
        told.listeners.remove(listener)
        if not told.listeners and told.own is None:
            del owner.__init__  # inherited, as it was
        elif not told.listeners:
            owner.__init__ = told.own  # type: ignore[method-assign,assignment] # as it was
