"""Windows of load as they were measured, for tests to judge and to change one figure of.

A module of its own because the same measurements prove the checks, the classification and the
sizing. All are from one machine of two cores with PostgreSQL 15, one process and, where nothing
else is said, 64 clients. A figure that was not measured is derived from those that were, and says
how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.capture.windows import LoadWindow, LoopWindow, OutstandingCheckout, Stall, StallCause
from tests.checks.load.building import LINE, ROUTE, USERS, load, times

_CPU_OF_A_STATEMENT = 0.000586
"""Seconds, of one checkout and statement on asyncpg."""


def _indexed(pool: int, rate: float, *, p50: float, p99: float, cpu: float) -> LoadWindow:
    """One ORM select by its index: the loop is the limit at every size.

    `hold` is size over rate, as it was at every size where it was measured; 4.7 ms of SQL "as the
    application saw it" was measured at saturation, 0.1 ms of it was the server's.
    """
    return load(
        pool=pool,
        rate=rate,
        hold=pool / rate,
        wait=(USERS - pool) / rate,
        cpu=cpu,
        active=0.02,
        idle_in_transaction=0.6 * pool,
        busy=min(0.0047, pool / rate),
        p50=p50,
        p99=p99,
    )


INDEXED: Mapping[int, LoadWindow] = {
    1: _indexed(1, 945, p50=0.065, p99=0.084, cpu=0.92),
    2: _indexed(2, 913, p50=0.065, p99=0.164, cpu=0.96),
    4: _indexed(4, 1101, p50=0.054, p99=0.226, cpu=0.98),
    8: _indexed(8, 886, p50=0.070, p99=0.333, cpu=0.99),
    16: _indexed(16, 933, p50=0.057, p99=0.336, cpu=0.92),
    32: _indexed(32, 855, p50=0.053, p99=0.389, cpu=0.99),
}


def _sleeping(
    pool: int, rate: float, *, p50: float, p99: float, cpu: float, duty: float
) -> LoadWindow:
    """A statement of 5 ms: the pool is the limit up to 8, then the loop."""
    return load(
        pool=pool,
        rate=rate,
        hold=pool / rate,
        wait=(USERS - pool) / rate,
        cpu=cpu,
        active=duty * pool,
        idle_in_transaction=(1 - duty) * pool,
        p50=p50,
        p99=p99,
    )


SLEEPING: Mapping[int, LoadWindow] = {
    1: _sleeping(1, 149, p50=0.415, p99=0.427, cpu=0.20, duty=0.62),
    2: _sleeping(2, 285, p50=0.219, p99=0.438, cpu=0.30, duty=0.62),
    4: _sleeping(4, 542, p50=0.111, p99=0.345, cpu=0.48, duty=0.5),
    8: _sleeping(8, 817, p50=0.070, p99=0.266, cpu=0.84, duty=0.33),
    16: _sleeping(16, 1000, p50=0.055, p99=0.240, cpu=0.96, duty=0.1),
    32: _sleeping(32, 966, p50=0.058, p99=0.316, cpu=1.0, duty=0.05),
}


def _locked(pool: int, rate: float, *, keys: int) -> LoadWindow:
    """Locks over so many keys for 42 ms each: the server works on as many at once.

    Whoever is out executes or waits for a lock, both of which a server calls active.
    """
    working = min(rate * 0.042, pool, keys)
    return load(
        pool=pool,
        rate=rate,
        hold=0.99 * pool / rate,
        wait=(USERS - pool) / rate,
        cpu=rate * _CPU_OF_A_STATEMENT,
        active=float(pool),
        idle_in_transaction=0.0,
        lock_waiting=pool - working,
    )


def locked(rates: Mapping[int, float], *, keys: int) -> dict[int, LoadWindow]:
    """A sweep over a database that works on so many statements at once."""
    return {pool: _locked(pool, rate, keys=keys) for pool, rate in rates.items()}


LOCKED_RATES: Mapping[int, float] = {
    1: 23.8,
    2: 43.8,
    4: 75.0,
    6: 99.5,
    8: 121.0,
    12: 137.3,
    16: 155.0,
    24: 164.6,
    32: 169.0,
    48: 172.0,
}
"""On 8 keys. Those of 2, 6, 12 and 24 connections are from the elasticities that were noted."""
LOCKED: Mapping[int, LoadWindow] = locked(LOCKED_RATES, keys=8)


def _free(pool: int, rate: float, hold: float) -> LoadWindow:
    """A statement of 40 ms that nothing holds up: more connections serve more, to the end."""
    return load(
        pool=pool,
        rate=rate,
        hold=hold,
        wait=(USERS - pool) / rate,
        cpu=rate * _CPU_OF_A_STATEMENT,
        active=float(pool),
        idle_in_transaction=0.0,
    )


FREE: Mapping[int, LoadWindow] = {
    1: _free(1, 22.7, 0.044),
    4: _free(4, 91.0, 0.044),
    8: _free(8, 182.0, 0.044),
    16: _free(16, 356.0, 0.045),
    32: _free(32, 710.0, 0.044),
    48: _free(48, 998.0, 0.047),
}

HELD = load(
    pool=5,
    rate=24.3,
    hold=0.206,
    wait=1.4,
    cpu=0.05,
    active=0.12,
    idle_in_transaction=4.88,
    busy=0.005,
    users=40,
)
"""A call of 0.2 s to another service inside of the session. Not measured: what a hold time of 0.206
s and a statement of 5 ms come to. Holding across a background task and a stream was."""

CALM = load(
    pool=15,
    rate=120.0,
    hold=0.006,
    wait=0.0,
    cpu=0.15,
    active=0.6,
    idle_in_transaction=0.12,
    users=1,
    p50=0.008,
)
"""Nothing is slow: one client at a time."""


def _with_bad(window: LoadWindow, *, errors: int) -> LoadWindow:
    ok = window.client.requests - errors
    return replace(window, client=replace(window.client, ok=ok, errors=errors))


def _with_pool(window: LoadWindow, *, timeouts: int, seconds: float) -> LoadWindow:
    pool = replace(window.pools[0], timeouts=timeouts, timeout_seconds=seconds)
    return replace(window, pools=(pool,))


FROZEN = replace(
    _with_pool(
        _with_bad(
            replace(
                load(
                    pool=2,
                    rate=0.58,
                    hold=0.05,
                    wait=2.0,
                    cpu=0.05,
                    active=0.0,
                    idle_in_transaction=2.0,
                    users=12,
                ),
                seconds=20.7,
                client=replace(CALM.client, users=12, requests=12, ok=12),
            ),
            errors=10,
        ),
        timeouts=10,
        seconds=2.0,
    ),
    loop=LoopWindow(
        lag=times(10.0, p99=20.7),
        stalls=(Stall(StallCause.POOL_WAIT, 1, 20.7, 20.7, ROUTE, LINE),),
    ),
)
"""A sync session in ``async def``: 12 requests, 10 errors, the whole loop frozen for 20.7 s."""

EXHAUSTED = _with_pool(
    _with_bad(
        replace(
            load(
                pool=2,
                rate=44.6,
                hold=0.2,
                wait=1.0,
                cpu=0.1,
                active=1.8,
                idle_in_transaction=0.2,
                users=50,
            ),
            seconds=9.0,
            client=replace(CALM.client, users=50, requests=401, ok=401),
        ),
        errors=321,
    ),
    timeouts=361,
    seconds=1.0,
)
"""A pool of 2 that gives up after 1 s, under 50 clients: 80 of 401 answers were good."""


def nested(*, pool: int, at_once: int, held: int = 2, timeouts: int = 0) -> LoadWindow:
    """Requests that hold several connections, as many clients as requests at once."""
    window = load(
        pool=pool,
        rate=10.0,
        hold=0.1,
        wait=0.1,
        cpu=0.05,
        active=0.0,
        idle_in_transaction=float(pool),
        users=at_once,
    )
    route = replace(window.routes[0], held_at_once=held, peak_concurrency=at_once)
    return _with_pool(replace(window, routes=(route,)), timeouts=timeouts, seconds=2.0)


LEAKED = replace(
    CALM,
    outstanding=(
        OutstandingCheckout(
            pool=CALM.pools[0].name,
            route=ROUTE,
            has_request_ended=True,
            is_owner_running=False,
            age_seconds=1.2,
            site=LINE,
        ),
    ),
)
"""A route whose session is never closed, a moment after the last client has left."""

SHARED = replace(
    LEAKED,
    client=replace(LEAKED.client, users=8),
    routes=(replace(LEAKED.routes[0], shared_sessions=614, peak_concurrency=1),),
)
"""One `AsyncSession` for all requests of 8 users, whose connection is out for ever. The concurrency
is that of requests that asked for a connection: the first one alone."""
