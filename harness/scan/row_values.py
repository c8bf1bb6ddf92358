"""Values of path parameters from rows that exist: `user_id` is the key of a row of `users`.

Names are all that connects an API with its tables, so this is a guess, tried in order: the answer
404 sends it on to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from harness.database.populate import Population
from harness.scan.operations import Parameter, ScannedOperation

__all__ = ["RowValues"]

_KEYS = {"id", "pk", "uuid", "guid", "key", "oid", "uid", "ident"}
_MOST = 4


@dataclass(slots=True, eq=False)
class RowValues:
    """Looks values up in a population."""

    population: Population

    def choices(self, operation: ScannedOperation) -> Iterator[dict[str, str]]:
        """Values for all required parameters at once, the likeliest first.

        Nothing comes where one of them has no value at all: `missing` says which.
        """
        ways = {item.name: self._values(item, operation) for item in operation.required}
        if all(ways.values()):
            for turn in range(min(_MOST, max([len(way) for way in ways.values()], default=1))):
                yield {name: way[min(turn, len(way) - 1)] for name, way in ways.items()}

    def missing(self, operation: ScannedOperation) -> list[str]:
        """Required parameters that no value can be found for."""
        return [
            f"{item.name} ({item.place})"
            for item in operation.required
            if not self._values(item, operation)
        ]

    def _values(self, parameter: Parameter, operation: ScannedOperation) -> list[str]:
        shape = parameter.shape
        if parameter.place in {"header", "cookie"}:
            return []
        if "enum" in shape or "const" in shape:
            return [str(each) for each in shape.get("enum", [shape.get("const")])]
        of_rows = [
            value
            for value in self._of_rows(_snake(parameter.name), _words_before(parameter, operation))
            if value is not None and _fits(value, shape)
        ]
        guessed = [parameter.documented] if parameter.documented is not None else []
        return list(dict.fromkeys([*of_rows, *guessed]))

    def _of_rows(self, name: str, words: Sequence[str]) -> Iterator[str | None]:
        owner, _, column = name.rpartition("_")
        if owner:  # user_id, post_slug
            yield from self._in_tables(owner, column)
        for word in words:  # /users/{username}, /users/{id}
            yield from self._in_tables(word, name)
            if owner and column in _KEYS:
                yield from self._in_tables(word, column)
        yield from self._in_tables(name, "id")  # /tags/{tag}
        for word in (name, *words):
            for natural in ("slug", "name", "code", "username"):
                yield from self._in_tables(word, natural)
        for key, facts in self.population.tables().items():
            if name in facts.columns:
                yield from (row[name] for row in self.population.rows(key)[:1])

    def _in_tables(self, word: str, column: str) -> Iterator[str | None]:
        for key, facts in self.population.tables().items():
            if key not in self._tables_named(word):
                continue
            name = column if column in facts.columns else None
            if name is None and column in _KEYS and len(facts.primary_key) == 1:
                name = facts.primary_key[0]
            if name is not None:
                yield from (row[name] for row in self.population.rows(key)[:1])

    def _tables_named(self, word: str) -> dict[tuple[str, str], None]:
        """Tables called so, or mapped by a class called so; a prefix of all tables is let pass."""
        wanted = _singular(_snake(word))
        known = self.population.models.class_names()
        by_class = [key for name, key in known.items() if _singular(_snake(name)) == wanted]
        names = {key: _singular(_snake(key[1])) for key in self.population.tables()}
        exact = [key for key, name in names.items() if name == wanted]
        ending = [key for key, name in names.items() if name.endswith(f"_{wanted}")]
        return dict.fromkeys(exact or by_class or ending)


def _words_before(parameter: Parameter, operation: ScannedOperation) -> list[str]:
    """The static parts of the path before a parameter, the nearest first."""
    before = operation.route.partition("{" + parameter.name)[0]
    parts = [part for part in before.split("/") if part and "{" not in part]
    return [_snake(part) for part in reversed(parts)]


def _snake(name: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("sses", "xes", "ches", "shes"):
        if word.endswith(ending):
            return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) else word


def _fits(value: str, shape: Mapping[str, Any]) -> bool:
    kind = shape.get("type")
    try:
        if kind == "integer":
            int(value)
        elif kind == "number":
            float(value)
        elif shape.get("format") == "uuid":
            UUID(value)
    except ValueError:
        return False
    most = shape.get("maxLength")
    return value != "" and (most is None or len(value) <= most)
