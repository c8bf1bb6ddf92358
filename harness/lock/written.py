"""The query lock as text: sorted, one line for each statement, so that a diff shows what changed.

All of it is ASCII. Every editor, terminal and encoding leaves such a file as it is, and what cannot
be seen (marks that turn the direction of text, blanks of other alphabets) shows as an escape to
whoever reviews it. Shapes are in order of their ids, which are as good as random: two branches
that add a statement to one endpoint rarely add it at the same place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount

__all__ = ["SCHEMA_VERSION", "to_text"]

SCHEMA_VERSION = 1
"""Raised by every change of the format: a reader refuses what it does not know, so that no gate
passes by not looking."""

_STEP = "  "


def to_text(lock: QueryLock) -> str:
    """The content of the file; equal locks give equal bytes."""
    dialects = {
        dialect: _block(
            {endpoint: _endpoint(counts) for endpoint, counts in endpoints.items()}, depth=2
        )
        for dialect, endpoints in lock.dialects.items()
    }
    return "\n".join(
        ("{", f'  "schema": {SCHEMA_VERSION},', f'  "dialects": {_block(dialects, depth=1)}', "}\n")
    )


def _endpoint(counts: EndpointCounts) -> str:
    shapes = {id_: _shape(shape) for id_, shape in counts.shapes.items()}
    pad = _STEP * 4
    return "\n".join(
        (
            "{",
            f'{pad}"statements": {counts.statements},',
            f'{pad}"round_trips": {counts.round_trips},',
            f'{pad}"shapes": {_block(shapes, depth=4)}',
            f"{_STEP * 3}}}",
        )
    )


def _shape(shape: ShapeCount) -> str:
    grows = "true" if shape.grows else "false"
    return f'{{"most": {shape.most}, "grows": {grows}, "sql": {json.dumps(shape.text)}}}'


def _block(values: Mapping[str, str], *, depth: int) -> str:
    """An object with one line for each key, in their order."""
    if not values:
        return "{}"
    return "{\n" + ",\n".join(_lines(values, _STEP * (depth + 1))) + f"\n{_STEP * depth}}}"


def _lines(values: Mapping[str, str], pad: str) -> Iterator[str]:
    return (f"{pad}{json.dumps(key)}: {values[key]}" for key in sorted(values))
