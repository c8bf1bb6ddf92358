"""Parameters of engines from the database URL: ``postgresql+asyncpg://…/db?plugin=harness&…``.

SQLAlchemy calls the plugin while the application makes its engine, so that a probe can try another
pool size, or have the echo log, without a change of the application's code. What the URL says wins
over what the application passes; an engine without such parameters in its URL is left alone.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy.engine import CreateEnginePlugin
from sqlalchemy.pool import Pool, QueuePool

from harness.errors import ConfigurationError

__all__ = ["PoolOverride", "with_echo", "with_pool"]

_PREFIX = "harness_"
_ECHO = f"{_PREFIX}echo"


@dataclass(frozen=True, slots=True)
class _Parameter:
    """What an engine's URL may say of its pool."""

    argument: str
    """As the pool itself calls it."""
    convert: type[int | float]
    least: int
    told: str


_PARAMETERS: Mapping[str, _Parameter] = {
    "pool_size": _Parameter("pool_size", int, 0, "a whole number, 0 or more"),
    "max_overflow": _Parameter("max_overflow", int, -1, "a whole number, -1 or more"),
    "pool_timeout": _Parameter("timeout", float, 0, "a number of seconds, 0 or more"),
}
_LONG_NAMES = frozenset({_ECHO, *(f"{_PREFIX}{name}" for name in _PARAMETERS)})
_NAMES = _LONG_NAMES | set(_PARAMETERS)


class PoolOverride(CreateEnginePlugin):
    """Replaces ``pool_size``, ``max_overflow`` and ``pool_timeout`` of an engine being made.

    Each is taken as ``harness_pool_size``, too, which wins. With ``harness_echo=1`` in the URL the
    engine logs what it executes.
    """

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:  # noqa: ARG002 - the plugin protocol
        """Read the parameters before `update_url` takes them out.

        Raises:
            ConfigurationError: One of ours is unknown, or has a value that does not fit.
        """
        _refuse_unknown(url)
        self._is_echoing = _is_echoing(url)
        self._given: dict[str, int | float] = {}
        for name, parameter in _PARAMETERS.items():
            read = [
                _number(key, url.query[key], parameter)
                for key in (f"{_PREFIX}{name}", name)
                if key in url.query
            ]
            if read:
                self._given[parameter.argument] = read[0]

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
        return url.difference_update_query(_NAMES)


def _refuse_unknown(url: URL) -> None:
    for key in url.query:
        if key.startswith(_PREFIX) and key not in _LONG_NAMES:
            near = difflib.get_close_matches(key, _LONG_NAMES, n=1)
            raise ConfigurationError(
                f"the database URL has {key!r}, which plugin=harness does not know",
                remedy=f"did you mean {near[0]!r}?"
                if near
                else f"keys: {', '.join(sorted(_LONG_NAMES))}",
            )


def _number(key: str, value: str | tuple[str, ...], parameter: _Parameter) -> int | float:
    try:
        number = parameter.convert(value)  # type: ignore[arg-type] # a tuple is a TypeError
    except (TypeError, ValueError):
        number = math.nan
    if not parameter.least <= number < math.inf:
        raise ConfigurationError(
            f"{key}={_shown(value)} of the database URL is not {parameter.told}"
        )
    return number


def _is_echoing(url: URL) -> bool:
    value = url.query.get(_ECHO, "0")
    if value not in {"0", "1"}:
        raise ConfigurationError(f"{_ECHO}={_shown(value)} of the database URL is not 0 or 1")
    return value == "1"


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else f"{', '.join(value)} (given {len(value)} times)"


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
