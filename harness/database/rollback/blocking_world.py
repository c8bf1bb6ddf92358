"""The connections of a driver that blocks: a single physical one for all threads.

Its twin for drivers that are awaited is in `awaited_world`; what both are to the sandbox is in
`worlds`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from harness.database.rollback import conflicts
from harness.database.rollback.backends import process_id
from harness.database.rollback.blocking import BlockingConnection
from harness.database.rollback.scopes import Scopes
from harness.errors import SandboxConflictError

__all__ = ["BlockingWorld"]


@dataclass(slots=True, eq=False)
class BlockingWorld:
    """The connections of a driver that blocks; satisfies `World`, too.

    Args:
        open_link: Connects as the application would have, but physically; gets the dialect, too.
        virtual: Makes a connection of the driver's kind; it asks for the physical one each time.
        wait_seconds: How long a transaction waits for its turn.
        is_active: Whether a test is running.
        connecting: Entered while the physical connection is opened.
        scopes: Tell whose a transaction is.
    """

    open_link: Callable[[Dialect, Sequence[Any], Mapping[str, Any]], Any]
    virtual: Callable[[Callable[[], BlockingConnection[Any]]], Any]
    wait_seconds: float
    is_active: Callable[[], bool]
    connecting: Callable[[], AbstractContextManager[None]]
    scopes: Scopes
    _connecting: threading.Lock = field(default_factory=threading.Lock)
    _physical: BlockingConnection[Any] | None = None

    def connect(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> DBAPIConnection:
        """A virtual connection."""
        with self._connecting:
            if self._physical is None or self._physical.link.is_closed:
                with self.connecting():
                    link = self.open_link(dialect, arguments, options)
                self._physical = BlockingConnection(link, self.wait_seconds, self.scopes)
                self._physical.open()
        connection: DBAPIConnection = self.virtual(self._current)
        return connection

    def _current(self) -> BlockingConnection[Any]:
        if not self.is_active() or self._physical is None:
            raise conflicts.used_after_test()
        return self._physical

    def end_test(self) -> bool:
        """Undo the test."""
        if self._physical is None:
            return False
        is_outdated = self._physical.outer.is_outdated or self._physical.link.is_closed
        self._physical.end_test()
        return is_outdated

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts of the one connection."""
        return self._physical.outer.take_conflicts() if self._physical is not None else []

    def process_ids(self) -> set[int]:
        """At most one."""
        known = self._physical
        if known is None or known.link.is_closed:
            return set()
        return {process_id(known.link.connection)}

    def let_go(self) -> set[int]:
        """End the physical connection: there is no loop that would."""
        left = self.process_ids()
        self.close()
        return left

    def close(self) -> None:
        """End the physical connection."""
        if self._physical is not None:
            self._physical.link.close()
            self._physical = None
