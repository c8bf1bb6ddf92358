"""What is known of a pool and of a connection that is out of it.

Apart from `pool`, which fills it in while the application waits: whoever reads counts needs this
alone.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from weakref import ReferenceType, ref

from greenlet import greenlet
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from harness.capture.histogram import Histogram
from harness.capture.recording import Checkout
from harness.capture.requests import ActiveRequest
from harness.capture.stacks import runs_application

__all__ = ["Held", "PoolState"]

_MOST_PENDING = 64


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
    timeouts: int = 0
    creations: int = 0
    reclaimed: int = 0
    """Connections that came back because the garbage collector found them."""
    checkouts: int = 0
    checked_out: int = 0
    demand: int = 0
    """Connections that are out, and callers who ask for one."""
    waiting_seconds: float = 0.0
    """Time in which somebody waited, whether one or many, until the last change."""
    busy_seconds: float = 0.0
    """Of all hold times together, the part in which SQL ran."""
    waiting_at: Counter[int] = field(default_factory=Counter)
    """By number of waiters: callers who made it so many."""
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    _checked_out_at: Counter[int] = field(default_factory=Counter)
    _taken: list[int] = field(default_factory=list)
    """How many were out after each checkout that is not in the counts yet."""
    _waits: list[float] = field(default_factory=list)
    """Of checkouts that are not in the histograms yet."""
    _holds: list[float] = field(default_factory=list)
    _changed_seconds: float = 0.0
    """While somebody waits."""
    _places: dict[ReferenceType[ConnectionPoolEntry], None] = field(default_factory=dict)
    """Of connections that were made, while the pool has them; threads change it in one step."""
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
        return max(self.demand - self._capacity, 0)

    @property
    def peak_waiting(self) -> int:
        """Most callers who waited at once."""
        return max(self.waiting_at, default=0)

    @property
    def checked_out_at(self) -> Counter[int]:
        """By number of connections that were out: checkouts that made it so many."""
        self.count_up()
        return self._checked_out_at

    @property
    def peak_checked_out(self) -> int:
        """Most connections that were out at once."""
        return max(self.checked_out_at, default=0)

    @property
    def open_connections(self) -> int:
        """Connections that it has at this moment, out or not.

        Looked up and not counted: a connection ends in many ways, and SQLAlchemy tells of some.
        """
        places = [place() for place in tuple(self._places)]
        return sum(place is not None and place.dbapi_connection is not None for place in places)

    def has_connected(self, place: ConnectionPoolEntry) -> None:
        """A connection was made, in a place of its own or in that of one that has ended."""
        self.creations += 1
        self._places[ref(place, self._drop)] = None

    def _drop(self, place: ReferenceType[ConnectionPoolEntry]) -> None:
        self._places.pop(place, None)

    def ask(self) -> float:
        """Somebody asks for a connection; tells when."""
        now_seconds = perf_counter()
        self.demand = demand = self.demand + 1
        if demand > self._capacity:
            self._wait_until(now_seconds, waiting=demand - self._capacity - 1)
            self.waiting_at[demand - self._capacity] += 1
        return now_seconds

    def take(self) -> None:
        """Somebody who asked has got one that was not out."""
        self.checkouts += 1
        self.checked_out = out = self.checked_out + 1
        self._taken.append(out)

    def share(self) -> None:
        """Somebody who asked has got one that is out already, or that is not to come back."""
        self.checkouts += 1
        self.go_without()

    def go_without(self) -> None:
        """Somebody who asked gets nothing."""
        if self.demand > self._capacity:
            self.wait_on()
        self.demand -= 1

    def lose(self) -> None:
        """One that was out is no longer followed."""
        self.go_without()
        self.checked_out -= 1

    def take_back(self, wait_seconds: float, hold_seconds: float) -> None:
        """One that was out is back."""
        if self.demand > self._capacity:
            self.wait_on()
        self.demand -= 1
        self.checked_out -= 1
        self._waits.append(wait_seconds)
        self._holds.append(hold_seconds)
        if len(self._holds) > _MOST_PENDING:
            self.count_up()

    def wait_on(self) -> None:
        """Bring the time up to date in which somebody waits."""
        self._wait_until(perf_counter(), waiting=self.demand - self._capacity)

    def count_up(self) -> None:
        """Bring the counts up to date: counting many at once takes a tenth."""
        # Threads take turns before or after such a line, and before or after an `append`.
        taken, self._taken = self._taken, []
        waits, self._waits = self._waits, []
        holds, self._holds = self._holds, []
        self._checked_out_at.update(taken)
        self.wait.add_all(waits)
        self.hold.add_all(holds)

    def _wait_until(self, now_seconds: float, *, waiting: int) -> None:
        if waiting > 0:
            self.waiting_seconds += now_seconds - self._changed_seconds
        self._changed_seconds = now_seconds


@dataclass(slots=True, eq=False)
class Held:
    """A connection that is asked for, and then out: one object, because there is one per checkout.

    It keeps nothing alive that would give the connection back.
    """

    listener: object
    """Who has made this: several may be at work."""
    pool: PoolState
    request: ActiveRequest | None
    user: ActiveRequest | None
    """The request that used it last."""
    owner: ReferenceType[asyncio.Task[object]] | ReferenceType[threading.Thread] | None = None
    """The task that asked, or the thread where there is none; None where nobody looks."""
    code: CodeType | None = None
    """Innermost function of the user's on the stack."""
    offset: int = 0
    """Of the instruction that it was executing."""
    proxy: ReferenceType[PoolProxiedConnection] | None = None
    """What the caller got; gone without having given back if the garbage collector took it."""
    proxy_id: int = 0
    """By which it is found, where one caller alone has the connection."""
    asked_seconds: float = 0.0
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
    executor: tuple[str, Callable[..., None]] | None = None
    """The method of the dialect that executed its last statement, if nobody else wanted to."""

    def is_beside(self, other: Held) -> bool:
        """Whether a task that the request has started holds this, and another one the other.

        Tasks that are gathered need one connection each: none keeps its own while it waits for the
        next, so they cannot wait for each other. The request's own task and its threads can, and
        so can a task in which a middleware runs the application.
        """
        if self.owner is None or other.owner is None or self.request is None:
            return False
        if self.owner is other.owner or self.owner is self.request.own_task:
            return False
        owner = self.owner()
        return isinstance(owner, asyncio.Task) and not runs_application(owner)

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
