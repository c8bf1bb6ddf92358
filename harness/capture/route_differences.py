"""What the requests to each route did in a stretch of load, in all processes together.

Beside `differences`, since routes are the one part of a status that is added up over processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.capture.growth import Growth, source_line
from harness.capture.histogram import Histogram
from harness.capture.traffic import Distribution
from harness.capture.windows import RouteWindow

__all__ = ["route_windows"]

_SHED = "503"
_RAISED = "raised"


def route_windows(processes: Iterable[Growth]) -> tuple[RouteWindow, ...]:
    """The routes that were requested, by name.

    Exchanges on WebSockets are among them, as ``WEBSOCKET /path``: they hold connections like
    anybody. Requests of the probe's own are not; it does not count them.

    Args:
        processes: Their statuses.
    """
    by_route: dict[str, list[Growth]] = {}
    for process in processes:
        for name, route in process.part("routes").parts():
            if not route.is_still or route.after["active"]:
                by_route.setdefault(name, []).append(route)
    return tuple(_route(name, routes) for name, routes in sorted(by_route.items()))


def _route(name: str, routes: Sequence[Growth]) -> RouteWindow:
    statuses = Counter[str]()
    for route in routes:
        statuses.update(route.counts("statuses"))
    pool, held_at_once = max(
        (held for route in routes for held in _held(route)),
        key=lambda held: held[1],
        default=("", 0),
    )
    endpoints = (source_line(route.after["endpoint"]) for route in routes)
    return RouteWindow(
        route=name,
        requests=sum(route.count("requests") for route in routes),
        statements=sum(route.count("statements") for route in routes),
        errors=sum(count for status, count in statuses.items() if _is_error(status)),
        shed=statuses[_SHED],
        seconds=_added(routes, "seconds"),
        wait=_added(routes, "wait"),
        hold=_added(routes, "hold"),
        busy_seconds=sum(route.seconds("busy_seconds") for route in routes),
        held_at_once=held_at_once,
        peak_concurrency=max(route.peak("concurrency", now="active") for route in routes),
        shared_sessions=sum(route.count("shared_sessions") for route in routes),
        pool=pool,
        endpoint=next(filter(None, endpoints), None),
    )


def _held(route: Growth) -> Iterable[tuple[str, int]]:
    """By pool the most connections of it that one request had at once."""
    pools = route.part("held_at_once")
    return ((pool, pools.peak(pool)) for pool in pools.after if pools.counts(pool))


def _is_error(status: str) -> bool:
    return status == _RAISED or (status.startswith("5") and status != _SHED)


def _added(routes: Sequence[Growth], name: str) -> Distribution:
    together = Histogram()
    for route in routes:
        together.merge(route.histogram(name))
    return together.distribution()
