"""How a test makes a window of load, and changes one figure of it.

A module of its own so that the measurements (`recorded.py`) are nothing but figures.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any

from harness.capture.traffic import Distribution
from harness.capture.windows import (
    ClientWindow,
    LoadWindow,
    MachineWindow,
    PoolWindow,
    RouteWindow,
    ServerWindow,
)
from harness.findings import SourceLine

USERS = 64
ROUTE = "GET /orders"
ENDPOINT = SourceLine("shop/orders.py", 12, "list_orders", "async def list_orders(session):")
LINE = SourceLine("shop/orders.py", 15, "list_orders", "session.execute(query)")
QUIET = MachineWindow(cores=2, generator_cpu=0.3, foreign_cpu=0.2)


def times(mean_seconds: float, *, count: int = 1000, p99: float | None = None) -> Distribution:
    """A distribution; without a 99th percentile all values are alike."""
    last = mean_seconds if p99 is None else p99
    return Distribution(count, mean_seconds, mean_seconds, last, last, last)


def load(
    *,
    pool: int,
    rate: float,
    hold: float,
    wait: float,
    cpu: float,
    active: float,
    idle_in_transaction: float,
    lock_waiting: float = 0.0,
    busy: float | None = None,
    users: int = USERS,
    p50: float | None = None,
    p99: float | None = None,
) -> LoadWindow:
    """A closed load on a pool without overflow, long enough for a verdict on throughput.

    Args:
        pool: Its size.
        rate: Answers a second, all of them good.
        hold: Seconds.
        wait: Seconds, mean; the 95th percentile is taken to be half as long again.
        cpu: Of the process.
        active: Connections; see `ServerWindow`.
        idle_in_transaction: Connections.
        lock_waiting: Connections.
        busy: Seconds of a hold time in which SQL ran, as the application saw it; all by default.
        users: Clients.
        p50: Seconds; by default what `users` waiting for each other come to.
        p99: Seconds.
    """
    seconds = max(5.0, ceil(600 / rate))
    requests = round(rate * seconds)
    middle = users / rate if p50 is None else p50
    held, waited = times(hold, count=requests), times(wait, count=requests, p99=wait * 1.5)
    busy_seconds = requests * (hold if busy is None else busy)
    is_queue = wait > hold / 10
    return LoadWindow(
        seconds=seconds,
        processes=1,
        process_cpu=cpu,
        cpu_seconds=cpu * seconds,
        client=ClientWindow(
            users=users,
            requests=requests,
            ok=requests,
            shed=0,
            errors=0,
            refused=0,
            hung=0,
            latency=times(middle, count=requests, p99=p99),
            rates=(rate,) * int(seconds),
        ),
        pools=(
            PoolWindow(
                name=f"QueuePool({pool}+0)@shop",
                size=pool,
                max_overflow=0,
                timeout_seconds=30.0,
                checkouts=requests,
                timeouts=0,
                creations=0,
                closed=0,
                reclaimed=0,
                peak_checked_out=min(pool, users),
                peak_waiting=max(users - pool, 0) if is_queue else 0,
                waiting_share=0.98 if is_queue else 0.0,
                wait=waited,
                hold=held,
                busy_seconds=busy_seconds,
            ),
        ),
        routes=(
            RouteWindow(
                route=ROUTE,
                requests=requests,
                statements=requests,
                errors=0,
                shed=0,
                seconds=times(middle, count=requests),
                wait=waited,
                hold=held,
                busy_seconds=busy_seconds,
                held_at_once=1,
                peak_concurrency=users,
                endpoint=ENDPOINT,
            ),
        ),
        server=ServerWindow(
            samples=100,
            active=active,
            idle_in_transaction=idle_in_transaction,
            idle=0.0,
            lock_waiting=lock_waiting,
            others=2.0,
            max_connections=100,
            reserved_connections=3,
        ),
        machine=QUIET,
    )


def with_route(window: LoadWindow, **changes: Any) -> LoadWindow:  # noqa: ANN401 - of any type
    """The same window, in which its one route was another."""
    return replace(window, routes=(replace(window.routes[0], **changes),))


def with_pool(window: LoadWindow, **changes: Any) -> LoadWindow:  # noqa: ANN401 - of any type
    """The same window, in which its one pool was another."""
    return replace(window, pools=(replace(window.pools[0], **changes),))


def with_client(window: LoadWindow, **changes: Any) -> LoadWindow:  # noqa: ANN401 - of any type
    """The same window, of which the clients saw something else."""
    return replace(window, client=replace(window.client, **changes))


def with_server(window: LoadWindow, **changes: Any) -> LoadWindow:  # noqa: ANN401 - of any type
    """The same window, in which the server did something else."""
    assert window.server is not None
    return replace(window, server=replace(window.server, **changes))
