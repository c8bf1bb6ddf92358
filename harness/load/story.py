"""From what users and the probe counted to the story of a load: pure, and free of Locust."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.capture.differences import load_window
from harness.capture.growth import Json
from harness.capture.traffic import LoadStory, Outcome, PoolRow, RouteRow
from harness.capture.windows import ClientWindow, PoolWindow
from harness.load.result import LoadResult, Sample, client_window
from harness.load.tally import Tally

__all__ = ["load_story", "pool_row", "recovery_seconds"]

_GOOD_IN_A_ROW = 5


def load_story(result: LoadResult, status: Json | None) -> LoadStory:
    """Put what clients and probe saw side by side.

    Args:
        result: The clients' side.
        status: The probe's counts after the load; None where there is no probe.
    """
    tally = result.tally
    counted = status["routes"] if status is not None else {}
    return LoadStory(
        users=result.users,
        seconds=result.seconds,
        requests=tally.requests,
        failures=tally.failures,
        requests_per_second=tally.requests / result.seconds if result.seconds else 0.0,
        routes=tuple(_route(name, tally, counted) for name in sorted(tally.routes)),
        pools=tuple(_pools(status, client_window(result))) if status is not None else (),
    )


def pool_row(pool: PoolWindow, *, out: int, suffix: str = "") -> PoolRow:
    """What is told of a pool.

    Args:
        pool: Under load.
        out: How many of its connections were out once the load had ended.
        suffix: To its name, where pools of several processes are told.
    """
    return PoolRow(
        name=pool.name + suffix,
        size=pool.size or 0,
        # As SQLAlchemy says that there is no limit.
        max_overflow=-1 if pool.capacity is None else pool.max_overflow or 0,
        checkouts=pool.checkouts,
        timeouts=pool.timeouts,
        peak_checked_out=pool.peak_checked_out,
        peak_waiting=pool.peak_waiting,
        checked_out_at_rest=out,
        wait=pool.wait,
        hold=pool.hold,
    )


def recovery_seconds(samples: Iterable[Sample], *, after_seconds: float) -> float | None:
    """How long clients waited for the first of five good answers in a row.

    Args:
        samples: Each request that the clients sent.
        after_seconds: The offset from which answers count: the end of the disturbance.

    Returns:
        Seconds after that offset; None if there were no five.
    """
    answers = sorted((item.offset_seconds + item.seconds, item.outcome) for item in samples)
    row: list[float] = []
    for ended_seconds, outcome in answers:
        if ended_seconds < after_seconds:
            continue
        row = [*row, ended_seconds] if outcome is Outcome.OK else []
        if len(row) == _GOOD_IN_A_ROW:
            return row[0] - after_seconds
    return None


def _route(name: str, tally: Tally, counted: Json) -> RouteRow:
    seen = counted.get(name)
    latency = tally.latency(name).distribution()
    return RouteRow(
        route=name,
        requests=latency.count,
        failures=tally.failures_of(name),
        latency=latency,
        statements_per_request=seen["statements"] / seen["requests"] if seen else None,
        failed=tuple(tally.failed.get(name, {}).items()),
    )


def _pools(status: Json, client: ClientWindow) -> Iterator[PoolRow]:
    """Of all its life, of which this load is the greatest part."""
    life = load_window(
        seconds=status["uptime_seconds"], client=client, before={}, after={status["pid"]: status}
    )
    out = {pool["name"]: pool["checked_out"] for pool in status["pools"]}
    for pool in life.pools:
        yield pool_row(pool, out=out[pool.name])
