"""An asyncio driver for code that cannot await: its calls run on an event loop in another thread.

So a plain `Session` in a test's thread shares the one connection, and with it the one transaction,
of an application on that loop: rows, lazy loads and commits included. SQLAlchemy uses an async
dialect with its sync engine as long as every call happens inside a greenlet; here each call gets
one of its own on the loop. It is done from outside, by a pool whose connections are wrapped, so
that whatever else watches engines (isolation, capture) sees an ordinary engine.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from sqlalchemy import URL
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from harness.loops import LoopThread

__all__ = ["bridged_engine"]

P = ParamSpec("P")
T = TypeVar("T")


def bridged_engine(url: URL, loop: LoopThread) -> Engine:
    """An engine for any thread, whose connections live on a loop.

    Args:
        url: With an asyncio driver.
        loop: Where the driver is to run.
    """
    return create_async_engine(url, poolclass=_BridgedPool, bridge=loop).sync_engine


def _call(loop: LoopThread, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    if loop.is_here:
        return call(*arguments, **options)
    return loop.run(greenlet_spawn(partial(call, *arguments, **options)))


class _BridgedPool(NullPool):
    """Makes connections on the loop, listeners and the dialect's own preparations included.

    It keeps none: in a test they are virtual and cost nothing, and a kept one would be of an
    earlier test.
    """

    def __init__(self, creator: Callable[..., Any], bridge: LoopThread, **options: Any) -> None:  # noqa: ANN401 - as the pool's own
        self._bridge = bridge
        super().__init__(lambda rec: self._wrapped(creator(rec)), **options)

    def connect(self) -> PoolProxiedConnection:
        """Check a connection out, on the loop."""
        return _call(self._bridge, super().connect)

    def recreate(self) -> NullPool:
        """Nothing is kept, so the pool is as good as new."""
        return self

    def _wrapped(self, real: Any) -> DBAPIConnection:  # noqa: ANN401 - the adapter's
        made: Any = _Bridged(real, self._bridge)
        wrapped: DBAPIConnection = made
        return wrapped


class _Bridged:
    """A connection or a cursor of SQLAlchemy's asyncio adapters, for use in any thread."""

    __slots__ = ("_loop", "_real")

    def __init__(self, real: Any, loop: LoopThread) -> None:  # noqa: ANN401 - the adapter's
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_loop", loop)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the adapter's
        found = getattr(self._real, name)
        if not inspect.ismethod(found):
            return found

        def bridged(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the adapter's
            return _call(self._loop, found, *arguments, **options)

        return bridged

    def __setattr__(self, name: str, value: object) -> None:
        # A setter may talk to the server; a plain attribute cannot.
        if isinstance(inspect.getattr_static(type(self._real), name, None), property):
            _call(self._loop, setattr, self._real, name, value)
        else:
            setattr(self._real, name, value)

    def cursor(self, *arguments: Any, **options: Any) -> _Bridged:  # noqa: ANN401 - the adapter's
        """A cursor of the connection."""
        made = _call(self._loop, self._real.cursor, *arguments, **options)
        return _Bridged(made, self._loop)

    def execute(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the adapter's
        """Run a statement; a connection's method gives a cursor."""
        made = _call(self._loop, self._real.execute, *arguments, **options)
        return _Bridged(made, self._loop) if hasattr(made, "fetchone") else made

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
