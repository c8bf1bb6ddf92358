"""A copy of the database, for one test alone: made when the test first connects.

What is the same for every kind of database; how a copy is made, and what becomes of it, is told by
`clones` for PostgreSQL and by `sqlite`. A module of its own because neither's driver is needed for
the other.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MOST_KEPT", "Copy", "Kind", "TestDatabase"]

MOST_KEPT = 3
"""Databases of failed tests that outlive their runs."""
Kind = Literal["clone", "empty"]


@dataclass(frozen=True, slots=True)
class Copy:
    """A database that one test has for itself."""

    name: str
    """The path of a file, where it is one."""
    source: str | None
    """What it is a copy of; None if it was made without a schema."""


@dataclass(slots=True, eq=False)
class TestDatabase:
    """What one test has for itself; satisfies `harness.database.rollback.own.OwnDatabase`.

    Args:
        make: Makes it.
        prepare: Awaited before, where the first to connect can wait: starts the application, whose
            lifespan may write to the base line. None if there is nothing to wait for.
        prepare_apart: Does the same for the first to connect that blocks, wherever it can.
    """

    __test__ = False  # not a class of tests

    make: Callable[[], Copy]
    prepare: Callable[[], Awaitable[None]] | None = None
    prepare_apart: Callable[[], None] | None = None
    copy: Copy | None = None
    is_kept: bool = False
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_made(self) -> bool:
        """Whether the test has connected."""
        return self.copy is not None

    async def before_it_is_made(self) -> None:
        """Bring the base line to where the test expects it."""
        if self.prepare is not None:
            await self.prepare()

    def name(self) -> str:
        """What it is called; the first to ask waits until it is made."""
        # Outside of the lock: the application may be asking for the name on its own loop.
        if self.copy is None and self.prepare_apart is not None:
            self.prepare_apart()
        with self._making:
            if self.copy is None:
                self.copy = self.make()
            return self.copy.name
