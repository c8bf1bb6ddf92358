"""Statements per request that become more with the items that are returned: N+1 as load shows it.

The sums of a route are all that there is (no stacks, mostly no statements), which is what the
status of a process, a server's counters and an echo log have in common. So a route is found by
growth alone, and `harness.checks.growth`, which has recordings, tells the statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.checks.growth import KIND, Trend
from harness.checks.load.judged import Judged, found, passed, skipped, undecided
from harness.findings import Finding, Severity, SourceLine

__all__ = [
    "KIND",
    "PROBE",
    "RouteSamples",
    "RouteTrend",
    "StatementSample",
    "statement_growth",
    "trend_of",
]

PROBE = "n_plus_one"
_CERTAIN_PER_ITEM = 0.5
"""Statements for each further item: from here on there is no doubt what they are run for."""
_LEAST_RISE = 1.0
"""Statements per request. Means of requests that differ may differ by less."""
_LEAST_SAMPLES = 3
"""So many sizes show that it goes on; with two, a loader may have had nothing to load before."""


@dataclass(frozen=True, slots=True)
class StatementSample:
    """The requests to one route at one size."""

    rows: int
    """Added to each table beforehand."""
    requests: int
    statements: int
    items: float | None = None
    """That an answer held, on average; None where answers are not lists."""
    shapes: Mapping[str, int] = field(default_factory=dict)
    """Executions by statement, where they are known."""

    @property
    def per_request(self) -> float:
        """Statements of one request, on average."""
        return self.statements / self.requests


@dataclass(frozen=True, slots=True)
class RouteSamples:
    """One route, at several sizes."""

    route: str
    samples: tuple[StatementSample, ...] = ()
    endpoint: SourceLine | None = None
    failure: str = ""
    """Why it could not be measured, although it should have been: it invalidates a pass."""
    refusal: str = ""
    """Why there is nothing to measure: the route does not answer such requests."""


@dataclass(frozen=True, slots=True)
class RouteTrend:
    """How the statements of a route follow what is returned."""

    trend: Trend
    by: str
    """``item`` of the answer, or ``row`` of the tables; empty if nothing grew."""
    sizes: tuple[float, ...] = ()
    statements: tuple[float, ...] = ()
    """Per request, at each size."""

    @property
    def slope(self) -> float:
        """More statements for each further item or row."""
        return (self.statements[-1] - self.statements[0]) / (self.sizes[-1] - self.sizes[0])


def trend_of(samples: Sequence[StatementSample]) -> RouteTrend:
    """Follow one route over its sizes: by items where answers are lists, else by rows.

    What rises at every step grows; what rises once may be a loader that ran for the first time.
    """
    by_items = sorted((item.items, item.per_request) for item in samples if item.items)
    by_rows = sorted((float(item.rows), item.per_request) for item in samples)
    has_items = any(item.items is not None for item in samples)
    unit, points = ("item", _distinct(by_items)) if has_items else ("row", _distinct(by_rows))
    if len(points) < 2:  # noqa: PLR2004 - two make a comparison
        return RouteTrend(Trend.UNCLEAR, "")
    sizes, statements = tuple(zip(*points, strict=True))
    grown = RouteTrend(Trend.GROWING, unit, sizes, statements)
    if statements[-1] - statements[0] < _LEAST_RISE:
        return RouteTrend(Trend.CONSTANT, unit, sizes, statements)
    rises = all(after > before for before, after in pairwise(statements))
    is_long = len(points) >= _LEAST_SAMPLES or grown.slope >= _CERTAIN_PER_ITEM
    is_more_than_once = statements[-1] - statements[0] > _LEAST_RISE
    if rises and is_long and is_more_than_once:
        return grown
    return RouteTrend(Trend.UNCLEAR, unit, sizes, statements)


def statement_growth(routes: Sequence[RouteSamples], *, counted_by: str, gap: str = "") -> Judged:
    """Whether any route runs more statements the more it returns.

    Args:
        routes: All that were requested.
        counted_by: Who counted the statements, for the evidence.
        gap: What these counts lack, so that nobody can say that none did; empty for nothing.
    """
    measured = [item for item in routes if not item.failure and not item.refusal]
    trends = {item.route: trend_of(item.samples) for item in measured}
    growing = [item for item in measured if trends[item.route].trend is Trend.GROWING]
    if growing:
        findings = [_finding(item, trends[item.route], counted_by) for item in growing]
        return found(PROBE, findings, is_explanation=False)
    if failed := [item for item in routes if item.failure]:
        more = f"; and {len(failed) - 1} more routes" if len(failed) > 1 else ""
        return undecided(PROBE, f"{failed[0].route}: {failed[0].failure}{more}")
    constant = [item for item in measured if trends[item.route].trend is Trend.CONSTANT]
    if not constant:
        return _nothing_compared(routes)
    return passed(PROBE, "; ".join(_constant(routes, constant)), unless=gap)


def _nothing_compared(routes: Sequence[RouteSamples]) -> Judged:
    if not routes:
        return undecided(PROBE, "no request was answered")
    if all(item.refusal for item in routes):
        return skipped(PROBE, f"{routes[0].route}: {routes[0].refusal}")
    return undecided(
        PROBE, "no answer held more items when more were asked for, or more were there"
    )


def _constant(routes: Sequence[RouteSamples], constant: Sequence[RouteSamples]) -> Iterator[str]:
    noun = "route runs" if len(constant) == 1 else "routes run"
    yield f"{len(constant)} {noun} as many statements for many items as for few"
    left = len(routes) - len(constant)
    if left:
        yield f"{left} could not be compared"


def _distinct(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """One point for each size: of several the one with most statements."""
    return sorted(dict(points).items())


def _finding(route: RouteSamples, trend: RouteTrend, counted_by: str) -> Finding:
    counts, sizes = _words(trend.statements), _words(trend.sizes)
    noun = "items returned" if trend.by == "item" else "rows added to each table"
    statement = _grown_statement(route.samples)
    return Finding(
        kind=KIND,
        label="statements",
        anchor=route.route,
        severity=Severity.ERROR if trend.slope >= _CERTAIN_PER_ITEM else Severity.WARNING,
        title=(
            f"{route.route} runs {counts} statements for {sizes} {noun}: "
            f"{trend.slope:.2g} for each further {trend.by}"
        ),
        fix=(
            "load what the loop loads together with the list: selectinload, joinedload, or "
            f"WHERE ... IN (...); harness scan --only '{route.route.partition(' ')[2]}' names the "
            "line"
        ),
        site=route.endpoint,
        evidence=(
            ("statements per request", counts),
            (noun, sizes),
            *((("statement", statement),) if statement else ()),
            ("requests", str(sum(sample.requests for sample in route.samples))),
            ("counted by", counted_by),
        ),
    )


def _grown_statement(samples: Sequence[StatementSample]) -> str:
    """The one that has grown most, where statements are known."""
    by_size = sorted(samples, key=lambda sample: (sample.items or 0, sample.rows))
    first, last = by_size[0], by_size[-1]
    grown = {
        text: runs / last.requests - first.shapes.get(text, 0) / first.requests
        for text, runs in last.shapes.items()
    }
    return max(grown, key=lambda text: grown[text], default="")


def _words(numbers: Sequence[float]) -> str:
    """``2, 5, 10``; means that are no whole numbers with one decimal."""
    return ", ".join(f"{round(number, 1):g}" for number in numbers)
