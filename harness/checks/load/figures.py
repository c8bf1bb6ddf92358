"""The figures that several checks read out of a window of load, and how they are written.

A module of its own so that "the rate", "the pool" and "the duty" are the same everywhere.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow, RouteWindow, ServerWindow

__all__ = [
    "SATURATED_CPU",
    "SPARE_CPU",
    "WAITING_SHARE",
    "busy_share",
    "cores",
    "counted",
    "cpu_per_request",
    "duty",
    "has_waiters",
    "main_pool",
    "milliseconds",
    "percent",
    "pool_capacity",
    "rate",
    "server_view",
    "timeouts",
]

SATURATED_CPU = 0.85
"""CPU seconds per second from which a process is the limit: at 0.84 eight connections still served
817 requests a second where one process can serve 1050 at all, from 0.9 on more of them only moved
the wait into the loop's own queue [measured]."""
SPARE_CPU = 0.7
"""Below, the loop has time left. Between this and `SATURATED_CPU` its own queue already stretches
every hold time, so that neither "the loop" nor "the connection" can be blamed."""
WAITING_SHARE = 0.2
"""Share of the readings with waiters from which waiting is the rule and not a burst: with half of
the pool in use on average, bursts fill it in fewer than a fifth of the readings."""
_FEWEST_SAMPLES = 50
"""Readings of ``pg_stat_activity``: each shows one instant, so fewer say little of a mean."""


def main_pool(window: LoadWindow) -> PoolWindow | None:
    """The pool with the most checkouts: the one that the load went through."""
    return max(window.pools, key=lambda pool: pool.checkouts, default=None)


def pool_capacity(window: LoadWindow) -> int:
    """Connections of the main pool of one process; 0 without a bound."""
    pool = main_pool(window)
    return (pool.capacity or 0) if pool is not None else 0


def rate(window: LoadWindow) -> float:
    """Good answers a second."""
    return window.client.ok / window.seconds if window.seconds > 0 else 0.0


def cpu_per_request(window: LoadWindow) -> float:
    """CPU seconds of the application for one request."""
    return window.cpu_seconds / window.client.requests if window.client.requests else 0.0


def timeouts(window: LoadWindow) -> int:
    """Callers that gave up at any pool."""
    return sum(pool.timeouts for pool in window.pools)


def has_waiters(window: LoadWindow) -> bool:
    """Whether waiting for a connection was the rule, or somebody waited in vain."""
    shares = (pool.waiting_share for pool in window.pools)
    return timeouts(window) > 0 or max(shares, default=0.0) > WAITING_SHARE


def server_view(window: LoadWindow) -> ServerWindow | None:
    """What the database server told, if it was asked often enough to mean something."""
    server = window.server
    return server if server is not None and server.samples >= _FEWEST_SAMPLES else None


def busy_share(measured: PoolWindow | RouteWindow) -> float | None:
    """Share of the hold times in which SQL ran, as the application saw it; None without any."""
    held = measured.hold.mean_seconds * measured.hold.count
    return min(measured.busy_seconds / held, 1.0) if held > 0 else None


def duty(window: LoadWindow) -> float | None:
    """Share of the connections in use for which SQL ran (0 to 1); None where nobody can tell.

    The server's word counts. The application's own is taken where its loop had time: at saturation
    it timed 4.7 ms for statements that cost the server 0.1 ms [measured].
    """
    server, pool = server_view(window), main_pool(window)
    if server is not None:
        return server.duty
    if pool is None or window.process_cpu >= SPARE_CPU:
        return None
    return busy_share(pool)


def milliseconds(seconds: float) -> str:
    """A duration, as evidence shows it."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def percent(share: float) -> str:
    """A share of one."""
    return f"{share * 100:.0f} %"


def cores(cpu: float) -> str:
    """CPU seconds per second."""
    return f"{cpu:.2f} of a core"


def counted(number: int, thing: str) -> str:
    """``1 connection``, ``2 connections``, ``2 processes``."""
    ending = "" if number == 1 else "es" if thing.endswith(("s", "ch")) else "s"
    return f"{number} {thing}{ending}"
