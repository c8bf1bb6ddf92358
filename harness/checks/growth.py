"""Statements that become more with the rows: the same request at several sizes of the data.

The proof that thresholds only guess at. One request, counted per fingerprint with n rows in every
table, for two or three n; what grows is compared per item that the answer holds, because a page
has fewer items than its table has rows. Sizes of zero are no base line: loaders of relationships
first run for the first row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.capture.fingerprint import Fingerprint
from harness.capture.recording import Cause, Recording, RequestRecord, RoundTrip
from harness.findings import Finding, RelatedSite, Severity

__all__ = [
    "KIND",
    "GrowthSample",
    "ShapeGrowth",
    "Trend",
    "growth",
    "growth_in_words",
    "is_comparable",
    "query_growth",
    "with_growth",
]

KIND = "query-growth"

_CERTAIN_PER_ITEM = 0.5


class Trend(StrEnum):
    """How the executions of a statement follow the size of the data."""

    CONSTANT = "constant"
    GROWING = "growing"
    UNCLEAR = "unclear"
    """There was nothing to compare with at the smaller size."""


@dataclass(frozen=True, slots=True)
class GrowthSample:
    """One request at one size of the data."""

    n: int
    """Rows in every table."""
    recording: Recording
    """What ran for the request."""
    items: int | None = None
    """Items that the answer holds; None where it is not a list of any."""


@dataclass(frozen=True, slots=True)
class ShapeGrowth:
    """The executions of one statement over all sizes."""

    fingerprint: Fingerprint
    counts: tuple[int, ...]
    """Executions at each size, ascending."""
    trend: Trend
    slope: float
    """More executions for each further item or row; 0 unless it grows."""
    is_per_item: bool
    """Whether by items of the answer, else by rows of the tables."""
    example: RoundTrip
    """One of them, at the largest size at which it ran."""


def growth(samples: Sequence[GrowthSample]) -> list[ShapeGrowth]:
    """Follow every statement over the sizes; fitted on the two largest.

    Args:
        samples: At least two, each with another n.
    """
    ordered = sorted(samples, key=lambda sample: sample.n)
    examples = {
        trip.fingerprint.id: trip for sample in ordered for trip in sample.recording.statements
    }
    counted = [
        Counter(trip.fingerprint.id for trip in sample.recording.statements) for sample in ordered
    ]
    return [
        _shape(example, tuple(counts[key] for counts in counted), ordered)
        for key, example in examples.items()
    ]


def is_comparable(samples: Sequence[GrowthSample]) -> bool:
    """Whether the two largest answers differ in size, so that a constant count says something."""
    smaller, larger = sorted(samples, key=lambda sample: sample.n)[-2:]
    if smaller.items is None or larger.items is None:
        return True
    return 0 < smaller.items < larger.items


def query_growth(
    samples: Sequence[GrowthSample], *, found: Sequence[Finding] = ()
) -> list[Finding]:
    """Find statements that grow.

    Args:
        samples: The same request at several sizes.
        found: What other checks have found at the largest; not reported twice, unless as a note.
    """
    largest = max(samples, key=lambda sample: sample.n).recording
    request = largest.requests[-1] if largest.requests else None
    told = [finding for finding in found if finding.severity is not Severity.NOTE]
    shapes = growth(samples)
    claimed = {
        key
        for item in shapes
        if any(_is_of(finding, item) for finding in told)
        for key in (_key(item), _turn(item))
    }
    findings: dict[str, Finding] = {}
    for item in shapes:
        if item.trend is Trend.GROWING and claimed.isdisjoint((_key(item), _turn(item))):
            finding = _finding(item, request, [sample.n for sample in samples])
            findings.setdefault(finding.identity, finding)
    return sorted(findings.values(), key=lambda finding: finding.identity)


def with_growth(findings: Sequence[Finding], samples: Sequence[GrowthSample]) -> list[Finding]:
    """The findings, each with how its statement grows as further evidence."""
    shapes = growth(samples)
    sizes = [sample.n for sample in samples]
    return [
        replace(
            finding,
            evidence=(
                *finding.evidence,
                *(
                    ("growth", growth_in_words(item, sizes))
                    for item in shapes
                    if _is_of(finding, item)
                ),
            ),
        )
        for finding in findings
    ]


def growth_in_words(item: ShapeGrowth, sizes: Sequence[int]) -> str:
    """``2, 3, 10 runs at n = 2, 3, 10: 1 for each item``."""
    runs = ", ".join(str(count) for count in item.counts)
    words = f"{runs} runs at n = {', '.join(str(size) for size in sorted(sizes))}"
    if item.trend is Trend.GROWING:
        unit = "item of the answer" if item.is_per_item else "row of the tables"
        return f"{words}: {item.slope:.2g} for each further {unit}"
    return f"{words}: {item.trend}"


def _shape(
    example: RoundTrip, counts: tuple[int, ...], ordered: Sequence[GrowthSample]
) -> ShapeGrowth:
    smaller, larger = ordered[-2:]
    before, after = counts[-2:]
    is_per_item = _differs_in_items(smaller, larger)
    steps = (larger.items or 0) - (smaller.items or 0) if is_per_item else larger.n - smaller.n
    has_base = before > 0 and smaller.items != 0 and list(counts) == sorted(counts)
    if after <= max(before, 1):
        trend = Trend.CONSTANT
    else:
        trend = Trend.GROWING if has_base else Trend.UNCLEAR
    return ShapeGrowth(
        fingerprint=example.fingerprint,
        counts=counts,
        trend=trend,
        slope=(after - before) / steps if trend is Trend.GROWING else 0.0,
        is_per_item=is_per_item,
        example=example,
    )


def _differs_in_items(smaller: GrowthSample, larger: GrowthSample) -> bool:
    if smaller.items is None or larger.items is None:
        return False
    return larger.items > smaller.items


def _key(item: ShapeGrowth) -> str:
    return item.fingerprint.id


def _turn(item: ShapeGrowth) -> str | tuple[int, tuple[int, ...]]:
    """What one line runs in one go, such as the statements of a refresh, is one problem."""
    stack = item.example.stack_key
    return (stack, item.counts) if stack else _key(item)


def _is_of(finding: Finding, item: ShapeGrowth) -> bool:
    """Whether a finding is about a statement: by its relationship, or by the statement itself."""
    if item.example.relationship is not None and finding.label == item.example.relationship:
        return True
    return any(value == item.fingerprint.text for _, value in finding.evidence)


def _finding(item: ShapeGrowth, request: RequestRecord | None, sizes: Sequence[int]) -> Finding:
    example = item.example
    place = example.call_site.function if example.call_site else ""
    name = example.relationship or example.entity or item.fingerprint.id
    where = f" in {place}" if place and example.relationship is None else ""
    if request is not None:
        anchor = request.name
    elif example.call_site is not None:
        anchor = f"{example.call_site.path}::{place}"
    else:
        anchor = f"statement {item.fingerprint.id}"
    endpoint = request.endpoint if request is not None else None
    return Finding(
        kind=KIND,
        label=f"{name}{where}",
        anchor=anchor,
        severity=Severity.ERROR if item.slope >= _CERTAIN_PER_ITEM else Severity.WARNING,
        title=f"one statement runs more often with more rows: {growth_in_words(item, sizes)}",
        fix=_fix(example),
        site=example.call_site or endpoint,
        related=(RelatedSite("endpoint", endpoint),) if endpoint and example.call_site else (),
        evidence=(("statement", item.fingerprint.text),),
    )


def _fix(example: RoundTrip) -> str:
    if example.cause is Cause.LAZY and example.relationship is not None:
        loader = "joinedload" if example.is_scalar_relationship else "selectinload"
        return f"add .options({loader}({example.relationship})) to the query that loads the parents"
    if example.fingerprint.text.lstrip("( ").upper().startswith(("SELECT", "WITH")):
        return "run it once for all values: WHERE … IN (…), a join, or a relationship's loader"
    return "write all rows with one statement, outside of the loop"
