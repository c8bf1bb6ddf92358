"""From what users and the probe counted to the story of a load: pure, and free of Locust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.capture.histogram import Histogram
from harness.capture.traffic import LoadStory, Outcome, PoolRow, RouteRow
from harness.load.result import LoadResult, Sample
from harness.load.tally import Tally

__all__ = ["load_story", "recovery_seconds"]

_GOOD_IN_A_ROW = 5


def load_story(result: LoadResult, status: Mapping[str, Any] | None) -> LoadStory:
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
        pools=_pools(status["pools"]) if status is not None else (),
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


def _route(name: str, tally: Tally, counted: Mapping[str, Any]) -> RouteRow:
    seen = counted.get(name)
    latency = tally.latency(name).distribution()
    return RouteRow(
        route=name,
        requests=latency.count,
        failures=tally.failures_of(name),
        latency=latency,
        statements_per_request=seen["statements"] / seen["requests"] if seen else None,
    )


def _pools(pools: Sequence[Mapping[str, Any]]) -> tuple[PoolRow, ...]:
    return tuple(
        PoolRow(
            name=pool["name"],
            size=pool["size"] or 0,
            max_overflow=pool["max_overflow"] or 0,
            checkouts=pool["checkouts"],
            timeouts=pool["timeouts"],
            peak_checked_out=pool["peak_checked_out"],
            peak_waiting=pool["peak_waiting"],
            checked_out_at_rest=pool["checked_out"],
            wait=Histogram.from_json(pool["wait"]).distribution(),
            hold=Histogram.from_json(pool["hold"]).distribution(),
        )
        for pool in pools
    )
