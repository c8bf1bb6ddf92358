"""How many items an answer holds: what the number of statements is compared with.

Rows in tables are no measure: a page has its limit, a filter leaves rows out.
"""

from __future__ import annotations

import json

__all__ = ["items_in"]

_LINES = ("text/csv", "application/x-ndjson", "application/jsonl", "application/json-seq")
_DEPTH = 2


def items_in(body: bytes, content_type: str) -> int | None:
    """Items of a list, of the one list inside a page object, or lines of an export.

    Returns:
        None where the answer is none of these.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _LINES:
        return len(body.splitlines())
    if kind != "application/json" and not kind.endswith("+json"):
        return None
    try:
        content = json.loads(body)
    except ValueError:
        return None
    lists = _lists(content, _DEPTH)
    return len(lists[0]) if len(lists) == 1 else None


def _lists(content: object, depth: int) -> list[list[object]]:
    """The lists at the outermost level that has any."""
    if isinstance(content, list):
        return [content]
    if not isinstance(content, dict) or depth == 0:
        return []
    direct = [value for value in content.values() if isinstance(value, list)]
    if direct:
        return direct
    inner = [value for value in content.values() if isinstance(value, dict)]
    return [found for value in inner for found in _lists(value, depth - 1)]
