"""Which request uses a session: one that two use at once belongs to nobody.

Beside `counting`, which sees a connection change hands within a transaction: a session that commits
before the next request uses it gets another connection, and is shared nevertheless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from harness.capture.guard import Guard
from harness.capture.requests import ActiveRequest

__all__ = ["SessionListener"]

_USER = "_harness_user"
"""The attribute of a session with its request; most sessions never make their ``info``."""


@dataclass(slots=True, eq=False)
class SessionListener:
    """Tells of sessions that begin a transaction for a request before another has done with them.

    Args:
        active: The request that is being worked on.
        on_shared: Called with the request that came second.
        guard: Keeps the first error of ours.
    """

    active: Callable[[], ActiveRequest | None]
    on_shared: Callable[[ActiveRequest], None]
    guard: Guard = field(default_factory=Guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen inside the block."""
        event.listen(Session, "after_begin", self._begun)
        try:
            yield
        finally:
            self.guard.unlisten(Session, "after_begin", self._begun)

    def _begun(self, session: Session, _: SessionTransaction, __: Connection) -> None:
        request = self.active()
        if request is None or self.guard.failure:
            return
        try:
            user: ActiveRequest | None = getattr(session, _USER, None)
            if user is not request:
                setattr(session, _USER, request)
                if user is not None and not user.has_ended:
                    self.on_shared(request)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)
