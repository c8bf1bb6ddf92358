"""The universal scalability law as a description of a curve, never as a forecast.

Source: N. J. Gunther, Guerrilla Capacity Planning (2007): ``X(p) = g p / (1 + s (p - 1) + k p (p -
1))``. Fitted to part of a sweep on a known capacity it missed the rate at 48 connections by 26 to
34 %, and its peak was one that the curve does not have [measured]. So it takes no part in a
recommendation: it names contention and coherence of what was measured, with the share of the
variation that it explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

__all__ = ["BEYOND_THE_KNEE", "FEWEST_SIZES", "ScalabilityLaw", "described"]

FEWEST_SIZES = 6
"""Twice the law's three parameters."""
BEYOND_THE_KNEE = 2
"""Sizes without which the curve's bend is not in the figures."""


@dataclass(frozen=True, slots=True)
class ScalabilityLaw:
    """The law's parameters for a curve."""

    gain: float
    """Requests a second of the first connection."""
    contention: float
    coherence: float
    fit: float
    """R squared, of the rates: 1 is a perfect description; 0.42 was that of a flat curve
    [measured]."""

    def rate(self, size: int) -> float:
        """The rate that the law gives a size within the sweep."""
        more = size - 1
        return self.gain * size / (1 + self.contention * more + self.coherence * size * more)


def described(rates: Mapping[int, float], knee: int | None) -> ScalabilityLaw | None:
    """Fit the law; None where the sweep is too short to bend, or the fit means nothing.

    With ``y = p / X`` the law is linear in ``1``, ``p - 1`` and ``p (p - 1)``: least squares of the
    relative error need no start values and no library.
    """
    beyond = [size for size in rates if knee is not None and size > knee]
    if len(rates) < FEWEST_SIZES or len(beyond) < BEYOND_THE_KNEE:
        return None
    # Divided by y, so that each size weighs the same.
    rows = [_row(size, size / rate) for size, rate in sorted(rates.items())]
    solved = _solved(
        [[sum(row[i] * row[j] for row in rows) for j in range(3)] for i in range(3)],
        [sum(row[i] for row in rows) for i in range(3)],
    )
    if solved is None or solved[0] <= 0:
        return None
    first, second, third = solved
    law = ScalabilityLaw(1 / first, second / first, third / first, 0.0)
    return ScalabilityLaw(law.gain, law.contention, law.coherence, _fit(law, rates))


def _row(size: int, inverse: float) -> tuple[float, float, float]:
    return 1 / inverse, (size - 1) / inverse, size * (size - 1) / inverse


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """Cramer's rule; None for a matrix without an inverse."""
    whole = _determinant(matrix)
    if abs(whole) < 1e-12:  # noqa: PLR2004 - nothing but rounding is left
        return None
    columns = range(3)
    return [
        _determinant(
            [
                [right[row] if column == replaced else matrix[row][column] for column in columns]
                for row in columns
            ]
        )
        / whole
        for replaced in columns
    ]


def _determinant(m: Sequence[Sequence[float]]) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _fit(law: ScalabilityLaw, rates: Mapping[int, float]) -> float:
    mean = fmean(rates.values())
    around = sum((rate - mean) ** 2 for rate in rates.values())
    missed = sum((rate - law.rate(size)) ** 2 for size, rate in rates.items())
    return 1 - missed / around if around else 0.0
