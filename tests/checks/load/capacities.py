"""Databases of known capacity, simulated: what a sweep over their pools would measure.

A module of its own because the knee and the recommendation are both proved on them. The measured
sweep on 8 locks is like the simulated one; those on 2 and 4 were not written down.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from heapq import heappop, heappush

from harness.capture.windows import LoadWindow

POWERS = (1, 2, 4, 8, 16, 32)


def served(pool: int, keys: int) -> float:
    """Requests a second of so many connections on so many locks, held for about 42 ms each.

    Whoever is done picks another lock at random; a lock serves one after the other.
    """
    chance = random.Random(pool * 100 + keys)  # noqa: S311 - a simulation
    queues = [0] * keys
    ends: list[tuple[float, int]] = []
    now, done = 0.0, 0

    def take(at: float, key: int) -> None:
        heappush(ends, (at + 0.042 * chance.uniform(0.95, 1.05), key))

    def ask(at: float) -> None:
        key = chance.randrange(keys)
        queues[key] += 1
        if queues[key] == 1:
            take(at, key)

    for _ in range(pool):
        ask(0.0)
    while done < 4000:
        now, key = heappop(ends)
        done += 1
        queues[key] -= 1
        if queues[key]:
            take(now, key)
        ask(now)
    return done / now


CAPACITIES = {keys: {pool: served(pool, keys) for pool in POWERS} for keys in (2, 4, 8)}
"""Of databases that work on 2, 4 and 8 statements at once."""


def in_rounds(sweep: Mapping[int, LoadWindow], *, rounds: int = 3) -> list[LoadWindow]:
    """A sweep, so many times over."""
    return [window for _ in range(rounds) for window in sweep.values()]
