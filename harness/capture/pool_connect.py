"""`Pool.connect`, timed for as many listeners as there are.

SQLAlchemy has no event for the wait for a connection, and its maintainers decline to add one. The
public method is replaced on the class, once for all listeners, and put back when the last one
leaves: engines that somebody else makes, and pools that `Engine.dispose` makes anew, count too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from sqlalchemy.pool import Pool, PoolProxiedConnection

__all__ = ["Connect", "timed_connect"]

Connect = Callable[[Pool], PoolProxiedConnection]


class _TimedConnect:
    """Stands in for `Pool.connect` while anyone listens; passes the call through all timers."""

    def __init__(self, original: Connect) -> None:
        self.original = original
        self.timers: list[Callable[[Pool, Connect], PoolProxiedConnection]] = []

    def __get__(self, pool: Pool | None, owner: type[Pool]) -> Any:  # noqa: ANN401 - a method
        if pool is None:
            return self
        return MethodType(self, pool)

    def __call__(self, pool: Pool) -> PoolProxiedConnection:
        timers = self.timers
        if len(timers) == 1:
            return timers[0](pool, self.original)
        return self.call(pool, tuple(timers))

    def call(
        self, pool: Pool, timers: tuple[Callable[[Pool, Connect], PoolProxiedConnection], ...]
    ) -> PoolProxiedConnection:
        if not timers:
            return self.original(pool)
        return timers[-1](pool, lambda inner: self.call(inner, timers[:-1]))


@contextmanager
def timed_connect(timer: Callable[[Pool, Connect], PoolProxiedConnection]) -> Iterator[None]:
    """Have a timer around `Pool.connect` inside the block.

    Args:
        timer: Gets the pool and what connects, and returns what that returns.
    """
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
