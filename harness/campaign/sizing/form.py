"""How much a sizing probe measures, in its long and its short form, and for how long.

Apart from `plan`, which decides what is tried: a slice is as long as a verdict on throughput needs,
no longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from harness.capture.windows import LoadWindow
from harness.checks.load.validity import FEWEST_SHARES, FEWEST_THROUGHPUT

__all__ = ["LONG", "MORE_ANSWERS", "SHORT", "Form", "baseline_seconds", "slice_seconds"]

MORE_ANSWERS = 1.2
"""Times the fewest: the expected rate is that of a ramp of three seconds, or of few requests."""


@dataclass(frozen=True, slots=True)
class Form:
    """How much is measured."""

    rounds: int
    """Of the sweep."""
    repeats: int
    """Of one slice that turns out invalid, at most."""
    baseline_seconds: float
    longest_baseline_seconds: float
    """Where requests are so slow that too few of them come in less."""
    step_seconds: float
    """Of each step of the ramp."""
    most_users: int
    """At the end of the ramp."""
    shortest_seconds: float
    """Of a slice: five whole seconds of rates, and the one that is cut."""
    longest_seconds: float

    def lasting(self, seconds: float | None) -> Form:
        """With slices of exactly this length, if somebody says so, and no shorter base line."""
        if seconds is None:
            return self
        alone = min(max(seconds, self.baseline_seconds), self.longest_baseline_seconds)
        return replace(
            self, baseline_seconds=alone, shortest_seconds=seconds, longest_seconds=seconds
        )


LONG = Form(
    rounds=3,
    repeats=2,
    baseline_seconds=6.0,
    longest_baseline_seconds=30.0,
    step_seconds=3.0,
    most_users=64,
    shortest_seconds=6.0,
    longest_seconds=25.0,
)
SHORT = Form(
    rounds=1,
    repeats=1,
    baseline_seconds=4.0,
    longest_baseline_seconds=4.0,
    step_seconds=3.0,
    most_users=64,
    shortest_seconds=6.0,
    longest_seconds=8.0,
)


def slice_seconds(expected_rate: float, form: Form) -> float:
    """How long a slice has to be for a verdict on throughput, within what the form allows."""
    wanted = MORE_ANSWERS * FEWEST_THROUGHPUT / expected_rate if expected_rate > 0 else inf
    return min(max(wanted, form.shortest_seconds), form.longest_seconds)


def baseline_seconds(alone: LoadWindow, form: Form) -> float | None:
    """How long a load of one user has to be for its shares to be judged.

    Args:
        alone: A first one.
        form: How much is measured.

    Returns:
        None where that one will do, or none that the form allows would.
    """
    if not 0 < alone.client.requests < FEWEST_SHARES:
        return None
    wanted = alone.seconds * FEWEST_SHARES / alone.client.requests
    longest = form.longest_baseline_seconds
    return min(MORE_ANSWERS * wanted, longest) if wanted <= longest else None
