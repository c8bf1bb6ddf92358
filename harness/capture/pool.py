"""Connections leaving the pool and coming back: how long they were waited for and held.

A held connection comes back by `checkin`, or, when an abandoned asyncio connection is collected, by
`detach` alone: a gauge that ignores the latter drifts upwards for ever. Who is given back by the
garbage collector is told by what the caller had: at a regular return that object is still alive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import (
    ConnectionPoolEntry,
    Pool,
    PoolProxiedConnection,
    SingletonThreadPool,
    StaticPool,
)

from harness.capture.guard import Guard
from harness.capture.pool_connect import Connect, timed_connect
from harness.capture.pool_state import Held, PoolState
from harness.capture.requests import ActiveRequest, active_request

__all__ = ["PoolListener", "PoolObserver", "PoolWatcher", "is_connecting"]


class PoolObserver(Protocol):
    """Whoever wants to hear of checkouts."""

    def on_return(self, held: Held, hold_seconds: float) -> None:
        """Called when a connection has come back."""

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        """Called when the pool gave up waiting."""


class PoolWatcher(Protocol):
    """Whoever wants to know what connections are out, and to whom."""

    def on_asking(self, asking: Held) -> None:
        """Called when somebody asks for a connection, to note who and where."""

    def on_taken(self, held: Held) -> None:
        """Called when a connection has left the pool."""


_asking: ContextVar[tuple[Held, ...]] = ContextVar("asking", default=())
# Looking up a method of C's takes longer than calling it.
_asking_now, _ask, _asked = _asking.get, _asking.set, _asking.reset


def is_connecting() -> bool:
    """Whether a pool is making a connection: what runs meanwhile is SQLAlchemy's own SQL."""
    return bool(_asking_now())


@dataclass(slots=True, eq=False)
class PoolListener:
    """Reports every checkout of the process to one observer.

    While a connection is out, its ``record_info`` has the `Held` under the listener itself.

    Args:
        observer: Hears of checkouts; what it raises is an error of ours, too.
        guard: Keeps the first error of ours; from then on nothing is reported.
        watcher: Hears of connections that are out.
        active: The request that a connection is asked for; by default of any tracker.
    """

    observer: PoolObserver
    guard: Guard = field(default_factory=Guard)
    watcher: PoolWatcher | None = None
    active: Callable[[], ActiveRequest | None] = active_request
    pools: list[PoolState] = field(default_factory=list)
    """In the order in which they were first used."""
    _states: WeakKeyDictionary[Pool, PoolState] = field(default_factory=WeakKeyDictionary)
    _latest: tuple[ReferenceType[Pool], PoolState] | None = None
    """The pool that was asked last, which mostly is the one that is asked next."""
    _held: dict[Held, None] = field(default_factory=dict)
    """What is out, the longest first; threads change it at any time, each in one step."""
    _by_proxy: dict[int, Held] = field(default_factory=dict)
    """What is out, by the id of what its caller has."""
    _naming: threading.Lock = field(default_factory=threading.Lock)

    @property
    def held(self) -> tuple[Held, ...]:
        """The connections that are out."""
        return tuple(self._held)

    def held_by(self, request: ActiveRequest) -> list[Held]:
        """The connections that a request took and that are out."""
        if not request.usage.out:
            return []
        return [held for held in self.held if held.request is request]

    def held_as(self, proxy: PoolProxiedConnection) -> Held | None:
        """What is known of a connection that is out; None of one that is detached."""
        # It has a descriptor in Python for `record_info`, which takes five times as long.
        held = self._by_proxy.get(id(proxy))
        if held is None and proxy.record_info:
            held = proxy.record_info.get(self)
        return held

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what happens inside the block."""
        with ExitStack() as stack:
            stack.callback(self._leave)
            stack.enter_context(timed_connect(self._connect))
            # What every checkout calls guards itself: a wrapper would be a call more.
            listeners: list[tuple[type, str, Callable[..., None]]] = [
                (Engine, "do_connect", self.guard.around(self._creating)),
                (Pool, "connect", self.guard.around(self._created)),
                (Pool, "checkin", self._checked_in),
                (Pool, "detach", self._checked_in),
            ]
            for target, name, listener in listeners:
                event.listen(target, name, listener)
                stack.callback(self.guard.unlisten, target, name, listener)
            yield

    def _leave(self) -> None:
        """What is out forgets us, and we forget it: nobody would hear of its return."""
        for held in self.held:
            proxy = held.proxy() if held.proxy is not None else None
            if proxy is not None and proxy.record_info:
                proxy.record_info.pop(self, None)
            self._forget(held)
            held.pool.lose()

    def _connect(self, pool: Pool, connect: Connect) -> PoolProxiedConnection:
        if self.guard.failure:
            return connect(pool)
        try:
            latest = self._latest
            state = latest[1] if latest and latest[0]() is pool else self._state(pool)
            request = self.active()
            asking = Held(self, state, request, request)
            if self.watcher is not None:
                self.watcher.on_asking(asking)
            asking.asked_seconds = state.ask()
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)
            return connect(pool)
        outer = _asking_now()
        token = _ask((asking, *outer) if outer else (asking,))
        try:
            proxy = connect(pool)
        except BaseException as error:
            with self.guard.watching():
                self._goes_without(asking, error)
            raise
        finally:
            _asked(token)
        try:
            self._take(asking, proxy)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)
        return proxy

    def _goes_without(self, asking: Held, error: BaseException) -> None:
        pool = asking.pool
        pool.go_without()
        if isinstance(error, PoolTimeoutError):
            waited_seconds = perf_counter() - asking.asked_seconds
            pool.timeouts += 1
            pool.wait.add(waited_seconds)
            self.observer.on_pool_timeout(pool, waited_seconds, asking.request)

    def _mine(self) -> Held | None:
        """The innermost caller: several listeners may be at work, and a connect inside another."""
        for asking in _asking_now():
            if asking.listener is self:
                return asking
        return None

    def _state(self, pool: Pool) -> PoolState:
        with self._naming:
            state = self._states.get(pool)
            if state is None:
                state = self._states[pool] = _state_of(pool, number=len(self.pools) + 1)
                self.pools.append(state)
        self._latest = ref(pool), state
        return state

    def _creating(self, *_: object) -> None:
        asking = self._mine()
        if asking is not None:
            asking.create_started_seconds = perf_counter()

    def _created(self, connection: object, place: ConnectionPoolEntry) -> None:  # noqa: ARG002 - the event's
        asking = self._mine()
        if asking is not None and asking.create_started_seconds:
            asking.pool.has_connected(place)
            asking.create_seconds += perf_counter() - asking.create_started_seconds

    def _take(self, held: Held, proxy: PoolProxiedConnection) -> None:
        known = proxy.record_info
        if known is None:
            held.pool.share()  # it is detached already: nobody would hear of its return
            return
        held.started_seconds = now_seconds = perf_counter()
        held.proxy = ref(proxy)
        # A StaticPool hands its one connection to everybody, and hears of its return once.
        shared = known.get(self)
        if shared is None:
            held.pool.take()
            if not held.pool.hands_out_one:
                held.proxy_id = id(proxy)
                self._by_proxy[held.proxy_id] = held
        else:
            held.pool.share()
            self._forget(shared)
        known[self] = held
        wait_seconds = now_seconds - held.asked_seconds - held.create_seconds
        if wait_seconds > 0:
            held.wait_seconds = wait_seconds
        self._held[held] = None
        request = held.request
        if request is not None:
            usage = request.usage
            usage.out += 1
            if usage.out > 1:
                mine = self.held_by(request)
                of_pool = [one for one in mine if one.pool is held.pool and not one.is_beside(held)]
                held.held_at_once, held.held_of_pool = len(mine), len(of_pool)
        if self.watcher is not None:
            self.watcher.on_taken(held)

    def _forget(self, held: Held) -> None:
        self._held.pop(held, None)
        self._by_proxy.pop(held.proxy_id, None)
        if held.request is not None:
            held.request.usage.out -= 1

    def _checked_in(self, connection: object, entry: ConnectionPoolEntry) -> None:  # noqa: ARG002 - the event's
        known = entry.record_info
        held = known.pop(self, None) if known else None
        if held is None:
            return
        try:
            self._forget(held)
            if self.guard.failure:
                return
            pool, proxy = held.pool, held.proxy
            hold_seconds = perf_counter() - held.started_seconds
            pool.take_back(held.wait_seconds, hold_seconds)
            if proxy is None or proxy() is None:
                pool.reclaimed += 1
            self.observer.on_return(held, hold_seconds)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)


def _state_of(pool: Pool, number: int) -> PoolState:
    return PoolState(
        name=f"pool {number}",
        size=_number(pool, "size"),
        max_overflow=getattr(pool, "_max_overflow", None),
        timeout_seconds=_number(pool, "timeout"),
        hands_out_one=isinstance(pool, (StaticPool, SingletonThreadPool)),
    )


def _number(pool: Pool, name: str) -> Any:  # noqa: ANN401 - int or float by name
    reader = getattr(pool, name, None)
    return reader() if callable(reader) else None
