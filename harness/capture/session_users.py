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
from harness.capture.requests import ActiveRequest, active_request

__all__ = ["SessionListener"]

_USER = "harness_user"
"""Key of the request in a session's ``info``."""


@dataclass(slots=True, eq=False)
class SessionListener:
    """Tells of sessions that begin a transaction for a request before another has done with them.

    Args:
        on_shared: Called with the request that came second.
        guard: Keeps the first error of ours.
    """

    on_shared: Callable[[ActiveRequest], None]
    guard: Guard = field(default_factory=Guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen inside the block."""
        listener = self.guard.around(self._begun)
        event.listen(Session, "after_begin", listener)
        try:
            yield
        finally:
            self.guard.unlisten(Session, "after_begin", listener)

    def _begun(self, session: Session, _: SessionTransaction, __: Connection) -> None:
        request = active_request()
        if request is None:
            return
        user: ActiveRequest | None = session.info.get(_USER)
        if user is not request:
            session.info[_USER] = request
            if user is not None and not user.has_ended:
                self.on_shared(request)
