"""The figures that several checks read out of a window of load, and how they are written.

A module of its own so that "the rate", "the pool" and "the duty" are the same everywhere.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow, RouteWindow, ServerWindow

__all__ = [
    "SATURATED_CPU",
    "SPARE_CPU",
    "WAITING_SHARE",
    "application_cores",
    "busy_share",
    "cores",
    "counted",
    "cpu_per_request",
    "duty",
    "has_waiters",
    "idle_seconds",
    "main_pool",
    "main_pools",
    "milliseconds",
    "percent",
    "pool_capacity",
    "rate",
    "server_view",
    "timeouts",
    "waited_most",
]

SATURATED_CPU = 0.85
"""CPU seconds per second from which a process is the limit: at 0.84 eight connections still served
817 requests a second where one process can serve 1050 at all, from 0.9 on more of them only moved
the wait into the loop's own queue [measured]."""
SPARE_CPU = 0.7
"""Below, the loop has time left. Between this and `SATURATED_CPU` its own queue already stretches
every hold time, so that neither "the loop" nor "the connection" can be blamed."""
WAITING_SHARE = 0.2
"""Share of the time with waiters from which waiting is the rule and not a burst: with half of the
pool in use on average, bursts fill it for less than a fifth of the time."""
_THREE_DIGITS = 100
_FEWEST_SAMPLES = 50
"""Readings of ``pg_stat_activity``: each shows one instant, so fewer say little of a mean."""


def main_pool(window: LoadWindow) -> PoolWindow | None:
    """The pool with the most checkouts: the one that the load went through."""
    return max(window.pools, key=lambda pool: pool.checkouts, default=None)


def main_pools(window: LoadWindow) -> tuple[PoolWindow, ...]:
    """The main pool of each process."""
    main = main_pool(window)
    return tuple(pool for pool in window.pools if main is not None and pool.name == main.name)


def waited_most(window: LoadWindow) -> tuple[PoolWindow, ...]:
    """The main pool of each process, the one first at which callers waited most in all.

    Processes do not share the work evenly, and the one with the most checkouts may be the one in
    which nobody waits.
    """
    return tuple(
        sorted(main_pools(window), key=lambda pool: -pool.wait.mean_seconds * pool.wait.count)
    )


def pool_capacity(window: LoadWindow) -> int:
    """Connections of the main pool of one process; 0 without a bound."""
    pool = main_pool(window)
    return (pool.capacity or 0) if pool is not None else 0


def rate(window: LoadWindow) -> float:
    """Good answers a second."""
    return window.client.ok / window.seconds if window.seconds > 0 else 0.0


def cpu_per_request(window: LoadWindow) -> float:
    """CPU seconds of the application for one request.

    By the requests that its own processes counted, between the readings that their CPU is of:
    clients also send while a port of somebody else's is asked who is behind it, and to processes
    that were not read.
    """
    requests = sum(route.requests for route in window.routes) or window.client.requests
    return window.cpu_seconds / requests if requests else 0.0


def application_cores(window: LoadWindow) -> int | None:
    """Cores of the machine that the application runs on; None where nobody knows.

    Behind a port of somebody else's it may run anywhere; only of an application that is served
    here is the server's activity sampled.
    """
    if window.machine is None or window.server is None:
        return None
    return window.machine.cores


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


def idle_seconds(route: RouteWindow) -> float:
    """Of a mean hold time, those in which no SQL ran."""
    held = route.hold
    return held.mean_seconds - route.busy_seconds / held.count if held.count else 0.0


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
    if seconds >= 1:
        return f"{seconds:.1f} s"
    told = seconds * 1000
    return f"{told:.0f} ms" if round(told, 1) >= _THREE_DIGITS else f"{told:.1f} ms"


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
