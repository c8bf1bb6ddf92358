"""Listeners on classes of SQLAlchemy, and what happens where somebody removes them meanwhile.

A test of the user's that clears what listens on `Engine` takes ours as well. `event.remove` would
then raise in our teardown, which is an error of another test; and from then on nothing would be
isolated. So it is an error of the test in which it happens, and the next one is isolated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import event

from harness.errors import SandboxConflictError

__all__ = ["Listener", "Listeners"]


@dataclass(frozen=True, slots=True)
class Listener:
    """What is called for an event of a class."""

    target: type
    event: str
    call: Callable[..., object]

    def listen(self) -> None:
        """Begin to be called."""
        event.listen(self.target, self.event, self.call)

    def is_there(self) -> bool:
        """Whether nobody has removed it."""
        return event.contains(self.target, self.event, self.call)

    def give_back(self) -> None:
        """Be called no more."""
        if self.is_there():
            event.remove(self.target, self.event, self.call)


@dataclass(slots=True, eq=False)
class Listeners:
    """Those that come and go together."""

    listeners: tuple[Listener, ...]
    _are_installed: bool = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen inside the block."""
        for listener in self.listeners:
            listener.listen()
        self._are_installed = True
        try:
            yield
        finally:
            self._are_installed = False
            for listener in reversed(self.listeners):
                listener.give_back()

    def require(self) -> None:
        """Put back what somebody has removed.

        Raises:
            SandboxConflictError: Something was missing.
        """
        gone = [it for it in self.listeners if self._are_installed and not it.is_there()]
        for listener in gone:
            listener.listen()
        if gone:
            names = ", ".join(f"{it.target.__name__}.{it.event}" for it in gone)
            raise SandboxConflictError(
                f"somebody removed the harness's own listeners ({names}) during a test: what was "
                "connected since then was not isolated",
                remedy="remove listeners one by one with sqlalchemy.event.remove()",
            )
