"""The connections that are out at this moment, told as JSON: whose, since when, from which line.

Put together when somebody asks: most connections come back before anybody does.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from harness.capture.origins import is_running, line_of
from harness.capture.pool_state import Held
from harness.capture.route_counts import line_json
from harness.capture.source import SourceMap

__all__ = ["outstanding_json"]


def outstanding_json(held: Iterable[Held], source: SourceMap) -> list[dict[str, Any]]:
    """One entry for each, the oldest first; see ``docs/reference/status.md``."""
    now_seconds = perf_counter()
    return [
        {
            "pool": item.pool.name,
            "route": _route(item),
            "age_seconds": now_seconds - item.started_seconds,
            "has_request_ended": item.request is not None and item.request.has_ended,
            "is_owner_running": is_running(item),
            "is_executing": item.executing_by is not None,
            "site": line_json(line_of(item, source)),
            "backend_pid": _backend_pid(item),
        }
        for item in sorted(held, key=lambda item: item.started_seconds)
    ]


def _route(held: Held) -> str:
    request = held.request
    return f"{request.method} {request.route}" if request is not None else ""


def _backend_pid(held: Held) -> int | None:
    """By public methods: ``get_server_pid`` of asyncpg, ``info.backend_pid`` of psycopg."""
    try:
        proxy = held.proxy() if held.proxy is not None else None
        driver: Any = proxy.driver_connection if proxy is not None else None
        if hasattr(driver, "get_server_pid"):
            pid = driver.get_server_pid()
        else:
            pid = getattr(getattr(driver, "info", None), "backend_pid", None)
    except Exception:  # noqa: BLE001 - of any driver, about a connection that is being closed
        return None
    return pid if isinstance(pid, int) else None
