"""Parameters of engines from the database URL: ``postgresql+asyncpg://…/db?plugin=harness&…``.

SQLAlchemy calls the plugin while the application makes its engine, so that a probe can try another
pool size, or have the echo log, without a change of the application's code. What the URL says wins
over what the application passes; an engine without such parameters in its URL is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy.engine import CreateEnginePlugin
from sqlalchemy.pool import Pool, QueuePool

__all__ = ["PoolOverride", "with_echo", "with_pool"]

_PREFIX = "harness_"
_ECHO = f"{_PREFIX}echo"
_PARAMETERS: Mapping[str, tuple[str, type[int | float]]] = {
    "pool_size": ("pool_size", int),
    "max_overflow": ("max_overflow", int),
    "pool_timeout": ("timeout", float),  # as the pool itself calls it
}


class PoolOverride(CreateEnginePlugin):
    """Replaces ``pool_size``, ``max_overflow`` and ``pool_timeout`` of an engine being made.

    With ``harness_echo`` in the URL it logs what it executes, too.
    """

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:  # noqa: ARG002 - the plugin protocol
        """Read the parameters before `update_url` takes them out."""
        self._is_echoing = _ECHO in url.query
        self._given: dict[str, int | float] = {}
        for name, (argument, convert) in _PARAMETERS.items():
            value = url.query.get(f"{_PREFIX}{name}")
            if isinstance(value, str):
                self._given[argument] = convert(value)

    def handle_pool_kwargs(self, pool_cls: type[Pool], pool_args: dict[str, Any]) -> None:
        """Replace the pool's arguments; NullPool and its kind take none of them."""
        if issubclass(pool_cls, QueuePool):
            pool_args.update(self._given)

    def engine_created(self, engine: Engine) -> None:
        """Switch the echo log on."""
        if self._is_echoing:
            engine.echo = True

    def update_url(self, url: URL) -> URL:
        """The URL without our parameters: the driver would refuse them."""
        return url.difference_update_query([_ECHO, *(f"{_PREFIX}{name}" for name in _PARAMETERS)])


def with_echo(url: URL) -> URL:
    """A URL that makes any engine made from it log what it executes."""
    return url.update_query_dict({"plugin": "harness", _ECHO: "1"})


def with_pool(
    url: URL,
    *,
    pool_size: int | None = None,
    max_overflow: int | None = None,
    pool_timeout: float | None = None,
) -> URL:
    """A URL that makes any engine made from it use these pool parameters.

    Args:
        url: The database.
        pool_size: Connections kept open.
        max_overflow: Connections beyond these, closed when given back.
        pool_timeout: Seconds that a caller waits for a connection.
    """
    given = {"pool_size": pool_size, "max_overflow": max_overflow, "pool_timeout": pool_timeout}
    query = {f"{_PREFIX}{name}": str(value) for name, value in given.items() if value is not None}
    return url.update_query_dict({"plugin": "harness", **query}) if query else url
