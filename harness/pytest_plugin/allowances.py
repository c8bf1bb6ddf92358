"""The marker `allow_queries`: a finding that one test accepts, and why.

A module of its own beside the configuration's allowances: those hold for every run and for all
doors, this one for a test, where an unused one is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.errors import UnusedAllowanceWarning
from harness.findings import Allowance

__all__ = ["HELP", "MARKER", "allowances_of", "warn_of_unused"]

MARKER = "allow_queries"
HELP = (
    "allow_queries(identity, *, reason): accept one finding in this test; a warning where the "
    "test has no such finding"
)


def allowances_of(item: pytest.Item) -> tuple[Allowance, ...]:
    """What the markers of a test accept.

    Raises:
        pytest.UsageError: A marker names no finding or gives no reason.
    """
    return tuple(_allowance(marker, item) for marker in item.iter_markers(MARKER))


def warn_of_unused(unused: Iterable[Allowance], *, item: pytest.Item) -> None:
    """Say which accepted findings a test did not have: repaired, or mistyped."""
    for allowance in unused:
        item.warn(
            UnusedAllowanceWarning(
                f"{MARKER}({allowance.identity!r}) matches no finding of this test: remove it, or "
                "correct it"
            )
        )


def _allowance(marker: pytest.Mark, item: pytest.Item) -> Allowance:
    reason = marker.kwargs.get("reason")
    is_whole = len(marker.args) == 1 and set(marker.kwargs) == {"reason"}
    if is_whole and isinstance(marker.args[0], str) and isinstance(reason, str) and reason.strip():
        return Allowance(identity=marker.args[0], reason=reason)
    given = [*map(repr, marker.args), *(f"{key}={it!r}" for key, it in marker.kwargs.items())]
    raise pytest.UsageError(
        f"{item.nodeid} has {MARKER}({', '.join(given)}); the marker takes the identity of a "
        'finding and says why: allow_queries("n-plus-one User.posts @ GET /users", reason="…")'
    )
