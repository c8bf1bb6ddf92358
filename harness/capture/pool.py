"""Connections leaving the pool and coming back: how long they were waited for and held.

SQLAlchemy has no event for the wait, and its maintainers decline to add one: `Pool.connect`, a
public method, is timed on the class, so that every pool counts, also those that `Engine.dispose`
makes anew. A held connection comes back by `checkin`, or, when an abandoned asyncio connection is
collected, by `detach` alone: a gauge that ignores the latter drifts upwards for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import MethodType
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, Pool, PoolProxiedConnection

from harness.capture.guard import Guard
from harness.capture.recording import Checkout
from harness.capture.requests import active_request

__all__ = ["PoolListener", "PoolObserver", "PoolState"]


@dataclass(slots=True, eq=False)
class PoolState:
    """The connections of one pool, counted by what was seen of it."""

    name: str
    """``pool 1``, numbered in the order of their first use."""
    size: int | None
    """``pool_size``; None for a pool without a size, e.g. NullPool."""
    max_overflow: int | None
    timeout_seconds: float | None
    checkouts: int = 0
    timeouts: int = 0
    creations: int = 0
    checked_out: int = 0
    peak_checked_out: int = 0
    asking: int = 0
    """Callers who have no connection yet, whether or not they must wait."""
    peak_waiting: int = 0

    @property
    def waiting(self) -> int:
        """Callers whom nobody serves before a connection comes back: those beyond the capacity."""
        if self.size is None or self.max_overflow is None or self.max_overflow < 0:
            return 0
        return max(self.asking + self.checked_out - self.size - self.max_overflow, 0)


class PoolObserver(Protocol):
    """Whoever wants to hear of checkouts."""

    def on_checkout(self, checkout: Checkout) -> None:
        """Called when a connection has come back."""

    def on_pool_timeout(self, pool: PoolState, waited_seconds: float) -> None:
        """Called when the pool gave up waiting."""


@dataclass(slots=True, eq=False)
class _Asking:
    """A caller inside `Pool.connect`, as one listener sees it."""

    listener: PoolListener
    pool: PoolState
    started_seconds: float
    create_started_seconds: float = 0.0
    create_seconds: float = 0.0
    is_served: bool = False


@dataclass(slots=True, eq=False)
class _Held:
    pool: PoolState
    wait_seconds: float
    create_seconds: float
    started_seconds: float
    request: int | None
    held_at_once: int


_Connect = Callable[[Pool], PoolProxiedConnection]

_asking: ContextVar[tuple[_Asking, ...]] = ContextVar("asking", default=())


@dataclass(slots=True, eq=False)
class PoolListener:
    """Reports every checkout of the process to one observer.

    Args:
        observer: Hears of checkouts; what it raises is an error of ours, too.
        guard: Keeps the first error of ours; from then on nothing is reported.
    """

    observer: PoolObserver
    guard: Guard = field(default_factory=Guard)
    pools: list[PoolState] = field(default_factory=list)
    """In the order in which they were first used."""
    _states: WeakKeyDictionary[Pool, PoolState] = field(default_factory=WeakKeyDictionary)
    _held: dict[ConnectionPoolEntry, _Held] = field(default_factory=dict)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(_timed_connect(self._connect))
            listeners: list[tuple[type, str, Callable[..., None]]] = [
                (Engine, "do_connect", self._creating),
                (Pool, "connect", self._created),
                (Pool, "checkout", self._checked_out),
                (Pool, "checkin", self._checked_in),
                (Pool, "detach", self._checked_in),
            ]
            for target, name, listener in listeners:
                guarded = self.guard.around(listener)
                event.listen(target, name, guarded)
                stack.callback(self.guard.unlisten, target, name, guarded)
            yield

    def _connect(self, pool: Pool, connect: _Connect) -> PoolProxiedConnection:
        asking: _Asking | None = None
        if not self.guard.failure:
            with self.guard.watching():
                asking = self._asks(pool)
        if asking is None:
            return connect(pool)
        token = _asking.set((asking, *_asking.get()))
        try:
            return connect(pool)
        except PoolTimeoutError:
            with self.guard.watching():
                self._gave_up(asking)
            raise
        finally:
            if not asking.is_served:
                asking.pool.asking -= 1
            _asking.reset(token)

    def _asks(self, pool: Pool) -> _Asking:
        state = self._state(pool)
        state.asking += 1
        state.peak_waiting = max(state.peak_waiting, state.waiting)
        return _Asking(self, state, perf_counter())

    def _gave_up(self, asking: _Asking) -> None:
        asking.pool.timeouts += 1
        self.observer.on_pool_timeout(asking.pool, perf_counter() - asking.started_seconds)

    def _mine(self) -> _Asking | None:
        """The innermost caller: several listeners may be at work, and a connect inside another."""
        return next((asking for asking in _asking.get() if asking.listener is self), None)

    def _state(self, pool: Pool) -> PoolState:
        state = self._states.get(pool)
        if state is None:
            state = PoolState(
                name=f"pool {len(self.pools) + 1}",
                size=_number(pool, "size"),
                max_overflow=getattr(pool, "_max_overflow", None),
                timeout_seconds=_number(pool, "timeout"),
            )
            self._states[pool] = state
            self.pools.append(state)
        return state

    def _creating(self, *_: object) -> None:
        asking = self._mine()
        if asking is not None:
            asking.create_started_seconds = perf_counter()

    def _created(self, *_: object) -> None:
        asking = self._mine()
        if asking is not None and asking.create_started_seconds:
            asking.pool.creations += 1
            asking.create_seconds += perf_counter() - asking.create_started_seconds

    def _checked_out(
        self,
        connection: object,  # noqa: ARG002 - the event's signature
        entry: ConnectionPoolEntry,
        proxy: object,  # noqa: ARG002 - the event's signature
    ) -> None:
        asking = self._mine()
        if asking is None or asking.is_served:
            return  # a listener of the application refused the connection: it is made anew
        asking.is_served = True
        asking.pool.asking -= 1
        now = perf_counter()
        request = active_request()
        state = asking.pool
        state.checkouts += 1
        # A StaticPool hands its one connection to everybody, and hears of its return once.
        is_shared = self._held.pop(entry, None) is not None
        state.checked_out += not is_shared
        state.peak_checked_out = max(state.peak_checked_out, state.checked_out)
        number = request.number if request is not None else None
        self._held[entry] = _Held(
            pool=state,
            wait_seconds=max(now - asking.started_seconds - asking.create_seconds, 0.0),
            create_seconds=asking.create_seconds,
            started_seconds=now,
            request=number,
            held_at_once=1 + self._held_by(number),
        )

    def _held_by(self, request: int | None) -> int:
        """Connections that a request has out; what belongs to no request is not added up."""
        if request is None:
            return 0
        return sum(held.request == request for held in tuple(self._held.values()))

    def _checked_in(self, connection: object, entry: ConnectionPoolEntry) -> None:  # noqa: ARG002
        held = self._held.pop(entry, None)
        if held is None:
            return
        held.pool.checked_out -= 1
        self.observer.on_checkout(
            Checkout(
                pool=held.pool.name,
                wait_seconds=held.wait_seconds,
                create_seconds=held.create_seconds,
                hold_seconds=perf_counter() - held.started_seconds,
                request=held.request,
                held_at_once=held.held_at_once,
            )
        )


def _number(pool: Pool, name: str) -> Any:  # noqa: ANN401 - int or float by name
    reader = getattr(pool, name, None)
    return reader() if callable(reader) else None


class _TimedConnect:
    """Stands in for `Pool.connect` while anyone listens; passes the call through all timers."""

    def __init__(self, original: _Connect) -> None:
        self.original = original
        self.timers: list[Callable[[Pool, _Connect], PoolProxiedConnection]] = []

    def __get__(self, pool: Pool | None, owner: type[Pool]) -> Any:  # noqa: ANN401 - a method
        if pool is None:
            return self
        return MethodType(self, pool)

    def __call__(self, pool: Pool) -> PoolProxiedConnection:
        return self.call(pool, tuple(self.timers))

    def call(
        self, pool: Pool, timers: tuple[Callable[[Pool, _Connect], PoolProxiedConnection], ...]
    ) -> PoolProxiedConnection:
        if not timers:
            return self.original(pool)
        return timers[-1](pool, lambda inner: self.call(inner, timers[:-1]))


@contextmanager
def _timed_connect(
    timer: Callable[[Pool, _Connect], PoolProxiedConnection],
) -> Iterator[None]:
    timed = vars(Pool)["connect"]
    if not isinstance(timed, _TimedConnect):
        timed = _TimedConnect(timed)
        Pool.connect = timed  # type: ignore[method-assign,assignment] # undone below
    timed.timers.append(timer)
    try:
        yield
    finally:
        timed.timers.remove(timer)
        if not timed.timers:
            Pool.connect = timed.original  # type: ignore[method-assign,assignment] # as it was
