"""What is noted of a statement while the application waits: the smallest thing that tells all.

Between `statements`, which notes, and `description`, which makes records of the notes when somebody
asks for them.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import ReferenceType

from harness.capture.connections import KnownConnection
from harness.capture.orm import Load
from harness.capture.requests import ActiveRequest
from harness.capture.shapes import Shape
from harness.capture.stacks import Stack
from harness.capture.transactions import OpenTransaction

__all__ = ["Bounds", "Noted", "Scope"]


class Bounds(NamedTuple):
    """What the bind values say of the rows that a statement asks for."""

    in_size: int = 0
    in_keys: tuple[int, ...] = ()
    limit: int | None = None
    offset: int | None = None
    range_keys: tuple[int, ...] = ()


class Noted(NamedTuple):
    """One cursor execution. Made as a plain tuple, which takes a fifth of the time."""

    statement: int
    batch: int
    started_seconds: float
    ended_seconds: float
    row_count: int | None
    """None where it failed."""
    shape: Shape
    load: Load | None
    stack: Stack
    connection: KnownConnection
    transaction: OpenTransaction | None
    flush: int | None
    """Of a write by the session's own machinery; 0 for its bulk methods, which flush nothing."""
    parameters_key: int
    parameter_sets: int
    bounds: Bounds | None
    tenant_key: int
    is_streamed: bool
    task: ReferenceType[asyncio.Task[Any]] | None
    thread: str
    moment: tuple[Any, ...] | None
    """As `Moment`; None outside of requests."""


@dataclass(slots=True, eq=False)
class Scope:
    """What one request ran, or (None) everything outside of requests."""

    request: ActiveRequest | None
    noted: list[tuple[Any, ...] | None] = field(default_factory=list)
    """As `Noted`; None for those that have been described."""
    further_statements: int = 0
    """Counted, and not noted."""
    further_round_trips: int = 0
    transaction_controls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, batch: int) -> None:
        """Count a round trip that is not noted, and a statement if it is the first of one."""
        with self._lock:
            self.further_round_trips += 1
            if batch == 0:
                self.further_statements += 1

    def count_control(self) -> None:
        """Count a SAVEPOINT or its kin."""
        with self._lock:
            self.transaction_controls += 1
