"""The corpus, sorted into families: tools differ in what they set out to find.

The handlers and their labels are those of this project's own suite. What is judged by the number of
rows is left out: it needs a PostgreSQL, and has nothing to do with N+1.
"""

from __future__ import annotations

from enum import StrEnum

from tests.checks.corpus import clean_loading, clean_repeats, found_relationships, found_repeats
from tests.checks.corpus.labels import Case, cases_in

__all__ = ["Family", "all_cases", "family_of", "path_of", "relationships_of", "some_cases"]

_MODULES = (found_relationships, found_repeats, clean_loading, clean_repeats)
_FEW = 2


class Family(StrEnum):
    """What a handler gets wrong."""

    RELATIONSHIPS = "relationships"
    REPEATS = "repeats"
    COLUMNS = "columns"
    WRITES = "writes"
    REFUSED = "refused loads"
    CLEAN = "clean"


_FAMILIES = {
    "fan-out": Family.REPEATS,
    "repeated-sequence": Family.REPEATS,
    "redundant-read": Family.REPEATS,
    "column-reload": Family.COLUMNS,
    "write-loop": Family.WRITES,
    "flush-in-loop": Family.WRITES,
    "missing-greenlet": Family.REFUSED,
    "detached-instance": Family.REFUSED,
    "forbidden-lazy-load": Family.REFUSED,
}


def all_cases() -> tuple[Case, ...]:
    """Every handler."""
    return tuple(case for module in _MODULES for case in cases_in(module))


def some_cases() -> tuple[Case, ...]:
    """A few of each family: enough to see that everything runs."""
    cases = all_cases()
    return tuple(
        case
        for family in Family
        for case in [one for one in cases if family_of(one) is family][:_FEW]
    )


def family_of(case: Case) -> Family:
    """What a handler gets wrong, by its first label."""
    if not case.expected:
        return Family.CLEAN
    first = case.expected[0]
    if first.kind == "n-plus-one":
        return Family.RELATIONSHIPS if first.label else Family.REPEATS
    return _FAMILIES[first.kind]


def relationships_of(case: Case) -> frozenset[str]:
    """The relationships that a tool should name: ``Author.books``."""
    labels = (expected.label for expected in case.expected)
    return frozenset(label for label in labels if label and "." in label)


def path_of(case: Case) -> str:
    """Of the route that the handler is."""
    return f"/corpus/{case.name}"
