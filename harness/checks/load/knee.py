"""Where a curve bends: the elasticity of each of its steps, with noise averaged out.

Apart from the curve of a sweep (`sizing_curve.py`) and from the question of one pool
(`elasticity.py`), which both read it and must not contradict each other in one report.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import log

__all__ = ["USEFUL_ELASTICITY", "knee_of", "smoothed_elasticity"]

USEFUL_ELASTICITY = 0.5
"""From here on a connection more is worth having: twice as many bring at least 1.4 times as
much."""


def knee_of(rates: Mapping[int, float]) -> int | None:
    """The largest size that was worth having; None where throughput rose to the end of the sweep.

    Its elasticity, from the size before, is at least one half; that to the next one is not.
    """
    sizes = sorted(rates)
    slopes = _concave_slopes(rates)
    useless = [slope < USEFUL_ELASTICITY for slope in slopes]
    return sizes[useless.index(True)] if True in useless else None


def smoothed_elasticity(rates: Mapping[int, float], smaller: int, larger: int) -> float:
    """Of the step from one size to another, whatever lies between and beside them told of noise.

    Args:
        rates: By size; both sizes are among them.
        smaller: Where the step begins.
        larger: Where it ends.
    """
    steps = zip(pairwise(sorted(rates)), _concave_slopes(rates), strict=True)
    gains = [
        slope * log(high / low) for (low, high), slope in steps if smaller <= low < high <= larger
    ]
    return sum(gains) / log(larger / smaller)


def _concave_slopes(rates: Mapping[int, float]) -> list[float]:
    """The elasticity of each step between neighbouring sizes, none larger than the one before.

    Neighbours that contradict this by noise share their mean (pool adjacent violators, weighted by
    the step's length): what a further connection brings can only become less.
    """
    sizes = sorted(rates)
    blocks: list[tuple[float, float, int]] = []  # gain, length, steps
    for low, high in pairwise(sizes):
        blocks.append((log(rates[high] / rates[low]), log(high / low), 1))
        while len(blocks) > 1 and _slope(blocks[-1]) > _slope(blocks[-2]):
            last, before = blocks.pop(), blocks.pop()
            blocks.append((last[0] + before[0], last[1] + before[1], last[2] + before[2]))
    return [_slope(block) for block in blocks for _ in range(block[2])]


def _slope(block: tuple[float, float, int]) -> float:
    gain, length, _ = block
    return gain / length
