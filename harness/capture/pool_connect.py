"""`Pool.connect`, timed for as many listeners as there are.

SQLAlchemy has no event for the wait for a connection, and its maintainers decline to add one. The
public method is replaced on the class, once for all listeners, and put back when the last one
leaves: engines that somebody else makes, and pools that `Engine.dispose` makes anew, count too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.pool import Pool, PoolProxiedConnection

__all__ = ["Connect", "timed_connect"]

Connect = Callable[[Pool], PoolProxiedConnection]
_OWNER = "harness_timed_connect"
"""The attribute of the replaced method that leads back to who replaced it."""


_Timer = Callable[[Pool, Connect], PoolProxiedConnection]


class _TimedConnect:
    """What stands in for `Pool.connect` while anyone listens: passes calls through all timers."""

    def __init__(self, original: Connect) -> None:
        self.original = original
        self.timers: list[_Timer] = []

    def function(self) -> Connect:
        """It, as a plain function: an object with ``__call__`` takes a call more for each."""
        timers, original = self.timers, self.original

        def connect(pool: Pool) -> PoolProxiedConnection:
            if len(timers) == 1:
                return timers[0](pool, original)
            return self.call(pool, tuple(timers))

        setattr(connect, _OWNER, self)
        return connect

    def call(self, pool: Pool, timers: tuple[_Timer, ...]) -> PoolProxiedConnection:
        if not timers:
            return self.original(pool)
        return timers[-1](pool, lambda inner: self.call(inner, timers[:-1]))


@contextmanager
def timed_connect(timer: Callable[[Pool, Connect], PoolProxiedConnection]) -> Iterator[None]:
    """Have a timer around `Pool.connect` inside the block.

    Args:
        timer: Gets the pool and what connects, and returns what that returns.
    """
    original = vars(Pool)["connect"]
    timed: _TimedConnect | None = getattr(original, _OWNER, None)
    if timed is None:
        timed = _TimedConnect(original)
        Pool.connect = timed.function()  # type: ignore[method-assign,assignment] # undone below
    timed.timers.append(timer)
    try:
        yield
    finally:
        timed.timers.remove(timer)
        if not timed.timers:
            Pool.connect = timed.original  # type: ignore[method-assign,assignment] # as it was
