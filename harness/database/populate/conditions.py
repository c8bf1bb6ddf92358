"""Numbers and strings that stand in the conditions of a table, as hints for values.

Conditions are not understood: the server decides. But what satisfies one mostly stands in it, or
right beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.database.populate.catalog import TableFacts

__all__ = ["constants_for"]

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.'])")


def constants_for(facts: TableFacts, column: str) -> list[str]:
    """What the CHECKs on a column name, each once, in order."""
    found: dict[str, None] = {}
    for condition in facts.conditions.values():
        if column in condition.columns and not condition.is_unique:
            found |= dict.fromkeys(_in(condition.definition))
    return list(found)


def _in(definition: str) -> Iterator[str]:
    for match in _STRING.findall(definition):
        string = match.replace("''", "'")
        yield string
        if "%" in string or "_" in string:  # perhaps a LIKE
            yield string.replace("%", "").replace("_", "a")
    yield from _NUMBER.findall(_STRING.sub("''", definition))
