"""The marker `query_lock`: a test whose statements differ from those of others on purpose."""

from __future__ import annotations

import difflib
from typing import Literal, get_args

import pytest

__all__ = ["HELP", "Entry", "entry_of"]

MARKER = "query_lock"
HELP = (
    'query_lock("own" | "off"): the test\'s requests have counts of their own in query-lock.json, '
    "or are not counted"
)
Entry = Literal["shared", "own", "off"]
"""Where the requests of a test are counted: with those of all tests, apart, or nowhere."""


def entry_of(item: pytest.Item) -> Entry:
    """What the test's nearest marker says.

    Raises:
        pytest.UsageError: The marker says something else.
    """
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return "shared"
    known: tuple[Entry, ...] = get_args(Entry)[1:]
    if len(marker.args) == 1 and not marker.kwargs:
        for entry in known:
            if marker.args[0] == entry:
                return entry
    given = [*map(repr, marker.args), *(f"{key}={it!r}" for key, it in marker.kwargs.items())]
    word = str(marker.args[0]) if len(marker.args) == len(given) == 1 else ""
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise pytest.UsageError(
        f"{item.nodeid} has {MARKER}({', '.join(given)}); {hint}the marker takes one of "
        f"{', '.join(map(repr, known))}"
    )
