"""Repetitions that are right: pages, chunks of keys, tenants.

They look like a loop, and are one, but each step is bounded and moves on: merging the steps into
one statement is what the author took care to avoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harness.capture.recording import RoundTrip

__all__ = ["is_walk"]

_SMALLEST_CHUNK = 50
"""Below, a list in IN is not there to bound the statement."""


def is_walk(runs: Sequence[RoundTrip]) -> bool:
    """Whether the runs of one statement are steps of a walk."""
    return _are_pages(runs) or _are_chunks(runs) or _are_tenants(runs)


def _are_pages(runs: Sequence[RoundTrip]) -> bool:
    if not all(run.is_limited for run in runs):
        return False
    offsets = [run.offset for run in runs]
    if len(set(offsets)) == len(runs):
        return True
    return all(runs[0].range_keys) and any(_is_monotonic(keys) for keys in _by_position(runs))


def _by_position(runs: Sequence[RoundTrip]) -> list[tuple[int, ...]]:
    width = len(runs[0].range_keys)
    if any(len(run.range_keys) != width for run in runs):
        return []
    return list(zip(*(run.range_keys for run in runs), strict=True))


def _is_monotonic(keys: Sequence[int]) -> bool:
    steps = [after - before for before, after in pairwise(keys)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)


def _are_chunks(runs: Sequence[RoundTrip]) -> bool:
    if max(run.in_size for run in runs[:-1]) < _SMALLEST_CHUNK:
        return False
    keys = [key for run in runs for key in run.in_keys]
    return len(set(keys)) == len(keys)


def _are_tenants(runs: Sequence[RoundTrip]) -> bool:
    return len({run.tenant_key for run in runs}) == len(runs)
