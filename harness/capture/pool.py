"""Connections leaving the pool and coming back: how long they were waited for and held.

A held connection comes back by `checkin`, or, when an abandoned asyncio connection is collected, by
`detach` alone: a gauge that ignores the latter drifts upwards for ever. Who is given back by the
garbage collector is told by what the caller had: at a regular return that object is still alive.
"""

from __future__ import annotations

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
    PoolResetState,
    SingletonThreadPool,
    StaticPool,
)

from harness.capture.guard import Guard
from harness.capture.pool_connect import Connect, timed_connect
from harness.capture.pool_state import Held, Origin, PoolState
from harness.capture.requests import ActiveRequest, active_request

__all__ = ["HELD_IN_RECORD", "PoolListener", "PoolObserver", "PoolWatcher", "is_connecting"]

HELD_IN_RECORD = "harness_held"
"""Key of the `Held` in a connection's ``record_info``, while somebody watches."""


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

    def on_asking(self, request: ActiveRequest | None) -> Origin:
        """Called when somebody asks for a connection; tells who and where."""
        raise NotImplementedError

    def on_taken(self, held: Held) -> None:
        """Called when a connection has left the pool."""

    def on_implicit_rollback(self, held: Held) -> None:
        """Called when one comes back with a transaction that nobody has ended."""


_asking: ContextVar[tuple[Held, ...]] = ContextVar("asking", default=())


def is_connecting() -> bool:
    """Whether a pool is making a connection: what runs meanwhile is SQLAlchemy's own SQL."""
    asking = _asking.get()
    return bool(asking) and asking[0].proxy is None


@dataclass(slots=True, eq=False)
class PoolListener:
    """Reports every checkout of the process to one observer.

    Args:
        observer: Hears of checkouts; what it raises is an error of ours, too.
        guard: Keeps the first error of ours; from then on nothing is reported.
        watcher: Hears of connections that are out; there may be one in a process.
    """

    observer: PoolObserver
    guard: Guard = field(default_factory=Guard)
    watcher: PoolWatcher | None = None
    pools: list[PoolState] = field(default_factory=list)
    """In the order in which they were first used."""
    _states: WeakKeyDictionary[Pool, PoolState] = field(default_factory=WeakKeyDictionary)
    _latest: tuple[ReferenceType[Pool], PoolState] | None = None
    """The pool that was asked last, which mostly is the one that is asked next."""
    _held: dict[ConnectionPoolEntry, Held] = field(default_factory=dict)
    _by_request: dict[ActiveRequest, list[Held]] = field(default_factory=dict)

    @property
    def held(self) -> tuple[Held, ...]:
        """The connections that are out."""
        return tuple(self._held.values())

    def holds_for(self, request: ActiveRequest) -> bool:
        """Whether a connection that a request took is out."""
        return request in self._by_request

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(timed_connect(self._connect))
            # Those that every checkout calls guard themselves: a wrapper would be a call more.
            listeners: list[tuple[type, str, Callable[..., None]]] = [
                (Engine, "do_connect", self.guard.around(self._creating)),
                (Pool, "connect", self.guard.around(self._created)),
                (Pool, "checkout", self._checked_out),
                (Pool, "checkin", self._checked_in),
                (Pool, "detach", self._checked_in),
            ]
            if self.watcher is not None:
                listeners.append((Pool, "reset", self._reset))
            for target, name, listener in listeners:
                event.listen(target, name, listener)
                stack.callback(self.guard.unlisten, target, name, listener)
            yield

    def _connect(self, pool: Pool, connect: Connect) -> PoolProxiedConnection:
        if self.guard.failure:
            return connect(pool)
        try:
            request = active_request()
            origin = self.watcher.on_asking(request) if self.watcher is not None else None
            latest = self._latest
            state = latest[1] if latest and latest[0]() is pool else self._state(pool)
            asking = Held(self, state, request, origin, state.change(1), request)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)
            return connect(pool)
        token = _asking.set((asking, *_asking.get()))
        try:
            return connect(pool)
        except PoolTimeoutError:
            with self.guard.watching():
                self._gave_up(asking)
            raise
        finally:
            if asking.proxy is None:
                asking.pool.change(-1)
            _asking.reset(token)

    def _gave_up(self, asking: Held) -> None:
        asking.pool.timeouts += 1
        waited_seconds = perf_counter() - asking.asked_seconds
        self.observer.on_pool_timeout(asking.pool, waited_seconds, asking.request)

    def _mine(self) -> Held | None:
        """The innermost caller: several listeners may be at work, and a connect inside another."""
        for asking in _asking.get():
            if asking.listener is self:
                return asking
        return None

    def _state(self, pool: Pool) -> PoolState:
        state = self._states.get(pool)
        if state is None:
            state = PoolState(
                name=f"pool {len(self.pools) + 1}",
                size=_number(pool, "size"),
                max_overflow=getattr(pool, "_max_overflow", None),
                timeout_seconds=_number(pool, "timeout"),
                hands_out_one=isinstance(pool, (StaticPool, SingletonThreadPool)),
            )
            self._states[pool] = state
            self.pools.append(state)
        self._latest = ref(pool), state
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
        proxy: PoolProxiedConnection,
    ) -> None:
        if self.guard.failure:
            return
        try:
            for asking in _asking.get():
                if asking.listener is self:
                    if asking.proxy is None:
                        self._take(asking, entry, proxy)
                    # else a listener of the application refused the connection: it is made anew
                    return
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _take(self, held: Held, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        held.entry, held.proxy = entry, ref(proxy)
        state, request = held.pool, held.request
        state.checkouts += 1
        # A StaticPool hands its one connection to everybody, and hears of its return once.
        shared = self._held.pop(entry, None)
        if shared is not None:
            self._forget(shared)
        now = held.started_seconds = state.change(-1, 1 if shared is None else 0)
        wait_seconds = now - held.asked_seconds - held.create_seconds
        if wait_seconds > 0:
            held.wait_seconds = wait_seconds
        self._held[entry] = held
        if request is not None:
            mine = self._by_request.get(request)
            if mine is None:
                self._by_request[request] = [held]
            else:
                mine.append(held)
                held.held_at_once = len(mine)
                held.held_of_pool = sum(
                    one.pool is state and not one.is_beside(held) for one in mine
                )
        if self.watcher is not None:
            record_info = entry.record_info
            if record_info is not None:
                record_info[HELD_IN_RECORD] = held
            self.watcher.on_taken(held)

    def _forget(self, held: Held) -> None:
        """What belongs to no request is not added up."""
        if held.request is not None:
            mine = self._by_request.pop(held.request)
            if len(mine) > 1:
                mine.remove(held)
                self._by_request[held.request] = mine

    def _reset(
        self,
        connection: object,  # noqa: ARG002 - the event's signature
        entry: ConnectionPoolEntry,
        state: PoolResetState,
    ) -> None:
        if not state.transaction_was_reset or self.watcher is None or self.guard.failure:
            return
        held = self._held.get(entry)
        if held is not None:
            with self.guard.watching():
                self.watcher.on_implicit_rollback(held)

    def _checked_in(self, connection: object, entry: ConnectionPoolEntry) -> None:  # noqa: ARG002
        held = self._held.pop(entry, None)
        if held is None or self.guard.failure:
            return
        try:
            if held.request is not None:
                self._forget(held)
            record_info = entry.record_info
            if self.watcher is not None and record_info is not None:
                record_info.pop(HELD_IN_RECORD, None)
            now = held.pool.change(0, -1)
            held.pool.reclaimed += held.proxy is None or held.proxy() is None
            self.observer.on_return(held, now - held.started_seconds)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)


def _number(pool: Pool, name: str) -> Any:  # noqa: ANN401 - int or float by name
    reader = getattr(pool, name, None)
    return reader() if callable(reader) else None
