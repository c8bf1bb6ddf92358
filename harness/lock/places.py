"""Where a key stands in a JSON text: the standard library's parser forgets the lines.

Asked only where something has to be complained about, so it may take its time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = ["line_of", "line_of_second"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:\n]')

_Path = tuple[str, ...]


def line_of(text: str, path: _Path) -> int | None:
    """The line of a key, by the keys that lead to it; None where there is no such key."""
    return next((line for found, line in _keys(text) if found == path), None)


def line_of_second(text: str) -> tuple[_Path, int] | None:
    """The first key that stands in its object for the second time, and its line."""
    known: set[_Path] = set()
    for path, line in _keys(text):
        if path in known:
            return path, line
        known.add(path)
    return None


def _keys(text: str) -> Iterator[tuple[_Path, int]]:
    """Every key of a valid JSON text, with the keys around it."""
    line, last, key = 1, "", ""
    around: list[str] = []
    for mark in _TOKEN.findall(text):
        if mark == "\n":
            line += 1
        elif mark == ":":
            key = json.loads(last)
            yield (*around[1:], key), line
        elif mark in "[{":
            around.append(key)
        elif mark in "]}":
            around.pop()
        else:
            last = mark
