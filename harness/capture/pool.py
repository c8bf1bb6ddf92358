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
from weakref import WeakKeyDictionary, ref

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

__all__ = ["HELD_IN_INFO", "PoolListener", "PoolObserver", "PoolWatcher"]

HELD_IN_INFO = "harness_held"
"""Key of the `Held` in a connection's ``info``, while somebody watches."""


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


@dataclass(slots=True, eq=False)
class _Asking:
    """A caller inside `Pool.connect`, as one listener sees it."""

    listener: PoolListener
    pool: PoolState
    started_seconds: float
    request: ActiveRequest | None
    origin: Origin | None
    create_started_seconds: float = 0.0
    create_seconds: float = 0.0
    is_served: bool = False


_asking: ContextVar[tuple[_Asking, ...]] = ContextVar("asking", default=())


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
            listeners: list[tuple[type, str, Callable[..., None]]] = [
                (Engine, "do_connect", self._creating),
                (Pool, "connect", self._created),
                (Pool, "checkout", self._checked_out),
                (Pool, "checkin", self._checked_in),
                (Pool, "detach", self._checked_in),
            ]
            if self.watcher is not None:
                listeners.append((Pool, "reset", self._reset))
            for target, name, listener in listeners:
                guarded = self.guard.around(listener)
                event.listen(target, name, guarded)
                stack.callback(self.guard.unlisten, target, name, guarded)
            yield

    def _connect(self, pool: Pool, connect: Connect) -> PoolProxiedConnection:
        asking: _Asking | None = None
        if not self.guard.failure:
            try:
                asking = self._asks(pool)
            except Exception as error:  # noqa: BLE001 - the application must not see it
                self.guard.remember(error)
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
                asking.pool.change(-1)
            _asking.reset(token)

    def _asks(self, pool: Pool) -> _Asking:
        state, request = self._state(pool), active_request()
        origin = self.watcher.on_asking(request) if self.watcher is not None else None
        return _Asking(self, state, state.change(1), request, origin)

    def _gave_up(self, asking: _Asking) -> None:
        asking.pool.timeouts += 1
        waited_seconds = perf_counter() - asking.started_seconds
        self.observer.on_pool_timeout(asking.pool, waited_seconds, asking.request)

    def _mine(self) -> _Asking | None:
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
        asking = self._mine()
        if asking is None or asking.is_served:
            return  # a listener of the application refused the connection: it is made anew
        asking.is_served = True
        state, request = asking.pool, asking.request
        state.checkouts += 1
        # A StaticPool hands its one connection to everybody, and hears of its return once.
        shared = self._held.pop(entry, None)
        if shared is not None:
            self._forget(shared)
        now = state.change(-1, 1 if shared is None else 0)
        held = Held(
            pool=state,
            entry=entry,
            proxy=ref(proxy),
            wait_seconds=max(now - asking.started_seconds - asking.create_seconds, 0.0),
            create_seconds=asking.create_seconds,
            started_seconds=now,
            request=request,
            origin=asking.origin,
            user=request,
        )
        self._held[entry] = held
        if request is not None:
            self._add(held, request)
        if self.watcher is not None:
            entry.info[HELD_IN_INFO] = held
            self.watcher.on_taken(held)

    def _add(self, held: Held, request: ActiveRequest) -> None:
        mine = self._by_request.get(request)
        if mine is None:
            self._by_request[request] = [held]
            return
        mine.append(held)
        held.held_at_once = len(mine)
        held.held_of_pool = sum(one.pool is held.pool for one in mine)

    def _forget(self, held: Held) -> None:
        """What belongs to no request is not added up."""
        if held.request is not None:
            mine = self._by_request[held.request]
            mine.remove(held)
            if not mine:
                del self._by_request[held.request]

    def _reset(
        self,
        connection: object,  # noqa: ARG002 - the event's signature
        entry: ConnectionPoolEntry,
        state: PoolResetState,
    ) -> None:
        held = self._held.get(entry)
        if self.watcher is not None and held is not None and state.transaction_was_reset:
            self.watcher.on_implicit_rollback(held)

    def _checked_in(self, connection: object, entry: ConnectionPoolEntry) -> None:  # noqa: ARG002
        held = self._held.pop(entry, None)
        if held is None:
            return
        self._forget(held)
        if self.watcher is not None:
            entry.info.pop(HELD_IN_INFO, None)
        now = held.pool.change(0, -1)
        held.pool.reclaimed += held.proxy() is None
        self.observer.on_return(held, now - held.started_seconds)


def _number(pool: Pool, name: str) -> Any:  # noqa: ANN401 - int or float by name
    reader = getattr(pool, name, None)
    return reader() if callable(reader) else None
