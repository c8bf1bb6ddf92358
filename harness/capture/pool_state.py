"""What is known of a pool and of a connection that is out of it.

Apart from `pool`, which fills it in while the application waits: whoever reads counts needs this
alone.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from weakref import ReferenceType

from greenlet import greenlet
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from harness.capture.histogram import Histogram
from harness.capture.recording import Checkout
from harness.capture.requests import ActiveRequest

__all__ = ["Held", "Origin", "PoolState"]

_MOST_RETURNED = 64


@dataclass(slots=True, eq=False)
class PoolState:
    """The connections of one pool, counted by what was seen of it."""

    name: str
    """``pool 1``, numbered in the order of their first use."""
    size: int | None
    """``pool_size``; None for a pool without a size, e.g. NullPool."""
    max_overflow: int | None
    timeout_seconds: float | None
    hands_out_one: bool = False
    """Whether everybody gets the same connection, as of a database in memory."""
    checkouts: int = 0
    timeouts: int = 0
    creations: int = 0
    reclaimed: int = 0
    """Connections that came back because the garbage collector found them."""
    checked_out: int = 0
    peak_checked_out: int = 0
    asking: int = 0
    """Callers who have no connection yet, whether or not they must wait."""
    peak_waiting: int = 0
    waiting_seconds: float = 0.0
    """Time in which somebody waited, whether one or many, until the last change."""
    busy_seconds: float = 0.0
    """Of all hold times together, the part in which SQL ran."""
    checked_out_at: Counter[int] = field(default_factory=Counter)
    """By number of connections that were out: checkouts that made it so many."""
    waiting_at: Counter[int] = field(default_factory=Counter)
    """By number of waiters: callers who made it so many."""
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    _returned: list[tuple[float, float]] = field(default_factory=list)
    """Wait and hold of checkouts that are not in the histograms yet."""
    _changed_seconds: float = 0.0
    """While somebody waits."""
    _capacity: int = field(init=False)

    def __post_init__(self) -> None:
        is_bounded = self.size is not None and self.max_overflow is not None
        if is_bounded and (self.max_overflow or 0) >= 0:
            self._capacity = (self.size or 0) + (self.max_overflow or 0)
        else:
            self._capacity = sys.maxsize

    @property
    def waiting(self) -> int:
        """Callers whom nobody serves before a connection comes back: those beyond the capacity."""
        return max(self.asking + self.checked_out - self._capacity, 0)

    def take_back(self, times_seconds: tuple[float, float]) -> None:
        """Wait and hold of a checkout; many are counted at once, which takes half as long."""
        self._returned.append(times_seconds)
        if len(self._returned) > _MOST_RETURNED:
            self.count_those_returned()

    def count_those_returned(self) -> None:
        """Bring the histograms up to date."""
        # Threads take turns before or after this line, and before or after an `append`.
        returned, self._returned = self._returned, []
        for wait_seconds, hold_seconds in returned:
            self.wait.add(wait_seconds)
            self.hold.add(hold_seconds)

    def change(self, asking: int = 0, checked_out: int = 0) -> float:
        """Somebody asks, gets a connection, gives it back or goes without.

        Three times for each checkout, so it calls nothing that it can do without.

        Returns:
            The time.
        """
        now_seconds = perf_counter()
        out = self.checked_out + checked_out
        waiting = self.asking + self.checked_out - self._capacity
        if waiting > 0:
            self.waiting_seconds += now_seconds - self._changed_seconds
        if asking:
            self.asking += asking
        waiting += asking + checked_out
        if waiting > 0:
            self._changed_seconds = now_seconds
            if asking > 0:
                self.waiting_at[waiting] += 1
                self.peak_waiting = max(self.peak_waiting, waiting)
        if checked_out:
            self.checked_out = out
            if checked_out > 0:
                self.checked_out_at[out] += 1
                if out > self.peak_checked_out:  # noqa: PLR1730 - as above
                    self.peak_checked_out = out
        return now_seconds


@dataclass(slots=True, eq=False)
class Origin:
    """Who asked for a connection, and where. Making a frozen one would take three times as long."""

    owner: ReferenceType[asyncio.Task[object]] | ReferenceType[threading.Thread] | None = None
    """The task, or the thread where there is none."""
    code: CodeType | None = None
    """Innermost function of the user's on the stack."""
    offset: int = 0
    """Of the instruction that it was executing."""


@dataclass(slots=True, eq=False)
class Held:
    """A connection that is asked for, and then out: one object, because there is one per checkout.

    It keeps nothing alive that would give the connection back.
    """

    listener: object
    """Who has made this: several may be at work."""
    pool: PoolState
    request: ActiveRequest | None
    origin: Origin | None
    asked_seconds: float
    user: ActiveRequest | None
    """The request that used it last."""
    entry: ConnectionPoolEntry | None = None
    """Once it is out."""
    proxy: ReferenceType[PoolProxiedConnection] | None = None
    """What the caller got; gone without having given back if the garbage collector took it."""
    wait_seconds: float = 0.0
    create_started_seconds: float = 0.0
    create_seconds: float = 0.0
    started_seconds: float = 0.0
    held_at_once: int = 1
    """Connections that its request held then, this one included, of all pools."""
    held_of_pool: int = 1
    """And of this pool alone, without those that are held beside it."""
    executing_by: greenlet | None = None
    """What runs a statement on it, while one runs."""

    def is_beside(self, other: Held) -> bool:
        """Whether a task that the request has started holds this, and another one the other.

        Tasks that are gathered need one connection each: none keeps its own while it waits for the
        next, so they cannot wait for each other. The request's own task and its threads can.
        """
        if self.origin is None or other.origin is None or self.request is None:
            return False
        owner = self.origin.owner
        if owner is other.origin.owner or owner is self.request.own_task:
            return False
        return owner is not None and isinstance(owner(), asyncio.Task)

    def checkout(self, hold_seconds: float) -> Checkout:
        """As a record, now that it is back."""
        return Checkout(
            pool=self.pool.name,
            wait_seconds=self.wait_seconds,
            create_seconds=self.create_seconds,
            hold_seconds=hold_seconds,
            request=self.request.number if self.request is not None else None,
            held_at_once=self.held_at_once,
        )
