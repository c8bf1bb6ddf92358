"""From samples and the probe's counts to the story of a load: pure, and free of Locust."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.capture.histogram import Histogram
from harness.capture.traffic import Distribution, LoadStory, Outcome, PoolRow, RouteRow

__all__ = ["Sample", "Samples", "load_story", "outcome_of", "recovery_seconds"]

_SHED = 503
_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_GOOD_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One request, as its client saw it."""

    offset_seconds: float
    """Start after the start of the load."""
    seconds: float
    route: str
    """``GET /users/{user_id}``."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Samples:
    """Everything that one run of Locust saw."""

    started_seconds: float
    """On the machine-wide clock of `time.monotonic`."""
    seconds: float
    users: int
    samples: tuple[Sample, ...]

    def write(self, file: Path) -> None:
        """Write as JSON, for the process that asked for the run."""
        rows = [
            (item.offset_seconds, item.seconds, item.route, item.outcome) for item in self.samples
        ]
        data = {
            "started_seconds": self.started_seconds,
            "seconds": self.seconds,
            "users": self.users,
            "samples": rows,
        }
        file.write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Samples:
        """The inverse of `write`."""
        data = json.loads(file.read_text(encoding="utf-8"))
        rows = (Sample(row[0], row[1], row[2], Outcome(row[3])) for row in data["samples"])
        return cls(data["started_seconds"], data["seconds"], data["users"], tuple(rows))


def outcome_of(status: int | None) -> Outcome:
    """Class of an HTTP status; None and 0 stand for no answer."""
    if not status:
        return Outcome.HANG
    if status == _SHED:
        return Outcome.SHED
    if status >= _SERVER_ERROR:
        return Outcome.ERROR
    return Outcome.REFUSED if status >= _CLIENT_ERROR else Outcome.OK


def load_story(samples: Samples, status: Mapping[str, Any] | None) -> LoadStory:
    """Put what clients and probe saw side by side.

    Args:
        samples: The clients' side.
        status: The probe's counts after the load; None where there is no probe.
    """
    by_route: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples.samples:
        by_route[sample.route].append(sample)
    counted = status["routes"] if status is not None else {}
    failures = sum(sample.outcome is not Outcome.OK for sample in samples.samples)
    return LoadStory(
        users=samples.users,
        seconds=samples.seconds,
        requests=len(samples.samples),
        failures=failures,
        requests_per_second=len(samples.samples) / samples.seconds if samples.seconds else 0.0,
        routes=tuple(_route(name, by_route[name], counted) for name in sorted(by_route)),
        pools=_pools(status["pools"]) if status is not None else (),
    )


def recovery_seconds(samples: Samples, *, after_seconds: float) -> float | None:
    """How long clients waited for the first of five good answers in a row.

    Args:
        samples: What the clients saw.
        after_seconds: The offset from which answers count: the end of the disturbance.

    Returns:
        Seconds after that offset; None if there were no five.
    """
    answers = sorted((item.offset_seconds + item.seconds, item.outcome) for item in samples.samples)
    row: list[float] = []
    for ended_seconds, outcome in answers:
        if ended_seconds < after_seconds:
            continue
        row = [*row, ended_seconds] if outcome is Outcome.OK else []
        if len(row) == _GOOD_IN_A_ROW:
            return row[0] - after_seconds
    return None


def _route(name: str, samples: Sequence[Sample], counted: Mapping[str, Any]) -> RouteRow:
    seen = counted.get(name)
    return RouteRow(
        route=name,
        requests=len(samples),
        failures=sum(sample.outcome is not Outcome.OK for sample in samples),
        latency=_distribution(sample.seconds for sample in samples),
        statements_per_request=seen["statements"] / seen["requests"] if seen else None,
    )


def _distribution(durations: Iterable[float]) -> Distribution:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return histogram.distribution()


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
