"""All candidates in each round, in another order every time.

What warms up, cools down or disturbs a machine over minutes would otherwise favour whoever comes
first or last.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["Progress", "interleaved"]

T = TypeVar("T")
_CLEAR = "\r\x1b[K"


class Progress:
    """Says on standard error what is being measured: one line that changes, or few in a log."""

    def show(self, what: str) -> None:
        """Replace the line; a log keeps none of these."""
        if sys.stderr.isatty():
            sys.stderr.write(f"{_CLEAR}{what[:79]}")
            sys.stderr.flush()

    def note(self, what: str) -> None:
        """A line that stays."""
        sys.stderr.write(f"{_CLEAR if sys.stderr.isatty() else ''}{what}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Nothing is being measured any more."""
        if sys.stderr.isatty():
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


def interleaved(
    title: str,
    candidates: Iterable[str],
    measure: Callable[[str], T],
    *,
    rounds: int,
    progress: Progress,
) -> dict[str, list[T]]:
    """Measure each candidate once per round.

    Args:
        title: What is measured, for the progress.
        candidates: Their names.
        measure: Measures one of them.
        rounds: How often.
        progress: Where to say how far it is.

    Returns:
        By candidate, what `measure` returned, one for each round.
    """
    found: dict[str, list[T]] = defaultdict(list)
    names = list(candidates)
    for number in range(rounds):
        if not sys.stderr.isatty():
            progress.note(f"{title}: round {number + 1} of {rounds}")
        order = random.Random(number).sample(names, len(names))  # noqa: S311 - an order
        for place, candidate in enumerate(order, start=1):
            where = f"round {number + 1} of {rounds}, {place} of {len(order)}"
            progress.show(f"{title}: {where}: {candidate}")
            found[candidate].append(measure(candidate))
    progress.clear()
    return found
