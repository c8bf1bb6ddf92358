"""What is said of the pairs that `probe` has measured: a table for each kind, and the verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.table import paragraph, table

__all__ = ["TARGET", "Pair", "lines", "overheads"]

TARGET = 0.03
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """CPU seconds of a server for each request of one kind, in one pair of processes."""

    kind: str
    without: float
    probed: float

    @property
    def overhead(self) -> float:
        """Share of the cost without."""
        return self.probed / self.without - 1


def overheads(pairs: Sequence[Pair]) -> Mapping[str, float]:
    """By kind, the median of the pairs' overheads."""
    return {
        kind: statistics.median(pair.overhead for pair in of_kind)
        for kind, of_kind in _by_kind(pairs).items()
    }


def lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """Tables, and which kinds are within the target."""
    by_kind = _by_kind(pairs)
    for kind, of_kind in by_kind.items():
        yield from _table(kind, of_kind)
    rounds = min(map(len, by_kind.values()))
    if rounds == 1:
        yield paragraph("One pair says nothing about the noise.")
        return
    yield paragraph(
        f"More CPU for each request with the probe, median (and range) of {rounds} pairs; "
        f"target: at most {TARGET:.0%}"
    )
    width = max(map(len, by_kind))
    for kind, overhead in overheads(pairs).items():
        every = [pair.overhead for pair in by_kind[kind]]
        word = "met   " if overhead <= TARGET else "MISSED"
        span = f"({min(every):+.1%} to {max(every):+.1%})"
        yield f"  {word}  {kind.ljust(width)}  {overhead:+.1%} {span}"


def _by_kind(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.kind, []).append(pair)
    return found


def _table(kind: str, pairs: Sequence[Pair]) -> Iterator[str]:
    rows = [
        [str(number), _told(pair.without), _told(pair.probed), f"{pair.overhead:+.1%}"]
        for number, pair in enumerate(pairs, start=1)
    ]
    without = statistics.median(pair.without for pair in pairs)
    probed = statistics.median(pair.probed for pair in pairs)
    overhead = statistics.median(pair.overhead for pair in pairs)
    rows.append(["median", _told(without), _told(probed), f"{overhead:+.1%}"])
    yield from table([kind, "without, us", "with the probe, us", "overhead"], rows)


def _told(seconds: float) -> str:
    return f"{seconds * _MICROSECONDS:.0f}"
