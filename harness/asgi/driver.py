"""Which driver the application works through, as far as the configuration tells.

Rollback isolation has one connection per driver, so a session for tests shares the application's
transaction only where it uses the same one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping

from sqlalchemy import URL, make_url

__all__ = ["application_url", "awaited_url", "is_awaited_driver"]

_PLACEHOLDERS = {"{async_url}": "postgresql+asyncpg", "{sync_url}": "postgresql+psycopg"}
_NAMED = re.compile(r"\{async_url\}|\{sync_url\}|\{url\}|postgres(?:ql)?(?:\+\w+)?(?=://)")
_AWAITED = frozenset({"asyncpg", "psycopg_async", "aiosqlite"})
_ON_A_LOOP = re.compile(r"\{async_url\}|\+aiosqlite")


def application_url(url: URL, env: Mapping[str, str], *, session_dependency: object = None) -> URL:
    """A database's URL with the application's driver.

    psycopg is one name for two drivers, and a plain ``postgresql://`` for any. There the
    configured session dependency decides: one that is a coroutine has an awaited driver.

    Args:
        url: The database.
        env: Environment variables as configured, with their placeholders.
        session_dependency: What hands sessions to routes, if it is configured.

    Returns:
        With ``psycopg_async`` for psycopg where it is awaited.
    """
    if url.get_backend_name() == "sqlite":
        is_on_a_loop = any(_ON_A_LOOP.search(text) for text in env.values())
        return url.set(drivername="sqlite+aiosqlite" if is_on_a_loop else "sqlite")
    is_awaited = _is_awaited(session_dependency)
    names = {_resolved(name, is_awaited=is_awaited) for name in _named(env)}
    preferred = (name for name in ("postgresql+asyncpg", *sorted(names)) if name in names)
    return url.set(drivername=next(preferred, "postgresql+asyncpg"))


def awaited_url(
    url: URL, env: Mapping[str, str], *, session_dependency: object = None
) -> URL | None:
    """A database's URL with the application's driver, for a session that is awaited.

    Args:
        url: The database.
        env: Environment variables as configured, with their placeholders.
        session_dependency: What hands sessions to routes. Without it psycopg is taken to be
            awaited: whoever asks for such a session has an application that awaits.

    Returns:
        None where the application's driver blocks.
    """
    chosen = application_url(url, env, session_dependency=session_dependency)
    if chosen.drivername == "postgresql+psycopg" and session_dependency is None:
        return chosen.set(drivername="postgresql+psycopg_async")
    return chosen if is_awaited_driver(chosen) else None


def is_awaited_driver(url: URL) -> bool:
    """Whether a URL's driver works on an event loop."""
    return url.get_driver_name() in _AWAITED


def _named(env: Mapping[str, str]) -> Iterator[str]:
    for text in env.values():
        for found in _NAMED.finditer(text):
            yield _PLACEHOLDERS.get(found[0], found[0])


def _resolved(name: str, *, is_awaited: bool | None) -> str:
    if name == "postgresql+psycopg" and is_awaited:
        return "postgresql+psycopg_async"
    if "+" in name:
        return name
    if is_awaited is False:
        # psycopg since SQLAlchemy 2.1, psycopg2 before.
        return f"postgresql+{make_url('postgresql://').get_driver_name()}"
    return "postgresql+asyncpg"


def _is_awaited(dependency: object) -> bool | None:
    if dependency is None:
        return None
    if not inspect.isroutine(dependency):  # an object that is called
        dependency = inspect.getattr_static(type(dependency), "__call__", None)
    return inspect.iscoroutinefunction(dependency) or inspect.isasyncgenfunction(dependency)
