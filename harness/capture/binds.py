"""What is kept of bind values: keys, never the values.

A key is a hash with a secret of the process, so that equal values can be recognised and nobody who
reads a recording can tell which they were. Values behind ``<`` and ``>`` get keys that compare as
they do, which is all that is needed to recognise a walk from page to page. Only LIMIT and OFFSET
are kept as they are: they are positions, not data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from math import isfinite
from secrets import randbits
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY

__all__ = ["BindKeys", "Roles", "bind_keys", "roles_in_text", "roles_of", "values_of_list"]

_MOST_LIST_KEYS = 16
_BITS = 61
_PREFIX_BYTES = 16
_ROLE = re.compile(
    r"""
    (?:(?P<role>\bLIMIT|\bOFFSET|<=|>=|<(?!>)|(?<![<-])>)\s*\(?\s*)?
    (?P<bind> %\((?P<python>\w+)\)s | (?<![:\w]):(?P<colon>\w+) | \$(?P<number>\d+)
        | __\[POSTCOMPILE_(?P<late>[^]~]+)[^]]*\] | %s | \? )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LIMIT = re.compile(r"\bLIMIT\s+(?:(\d+)\s*,\s*)?(\d+)", re.IGNORECASE)
_COMMA = re.compile(r"\s*,\s*")
_OFFSET = re.compile(r"\bOFFSET\s+(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which binds of a statement bound its rows, and what they are called."""

    limit: str | None = None
    offset: str | None = None
    ranges: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    count: int = 0
    """Binds of one set of parameters."""

    @property
    def are_any(self) -> bool:
        """Whether there is anything to look at when the statement runs."""
        return bool(self.limit or self.offset or self.ranges or self.lists)


@dataclass(frozen=True, slots=True)
class BindKeys:
    """Makes keys of values, with secrets that never leave the process."""

    salt: int = field(default_factory=lambda: randbits(_BITS), repr=False)
    pepper: int = field(default_factory=lambda: randbits(_BITS), repr=False)

    def of(self, parameters: Any) -> int:  # noqa: ANN401 - of any paramstyle
        """A key of the parameters of one execution, or of any value."""
        try:
            return hash((self.salt, _hashable(parameters), self.pepper))
        except (TypeError, ValueError):  # an array, a document or a buffer among them
            return hash((self.salt, repr(parameters), self.pepper))

    def of_list(self, values: Sequence[Any]) -> tuple[int, ...]:
        """The smallest keys of a list: a sample of the same values, whichever list they are in."""
        return tuple(sorted({self.of(value) for value in values})[:_MOST_LIST_KEYS])

    def of_range(self, value: object) -> int | None:
        """A key that compares as the value does; None for values without an order known here."""
        try:
            position = _position(value)
        except (ArithmeticError, ValueError):  # a signalling NaN
            return None
        return None if position is None else position * self.salt + self.pepper


@cache
def bind_keys() -> BindKeys:
    """The keys of this process: recordings can be compared with each other."""
    return BindKeys()


def roles_of(compiled: Any) -> Roles:  # noqa: ANN401 - SQLCompiler or its kin
    """Find the binds of a compiled statement that bound its rows."""
    names: Mapping[Any, str] = getattr(compiled, "bind_names", None) or {}
    if not names:
        return Roles()
    lists = tuple(name for bind, name in names.items() if _is_list(bind, compiled.string))
    named = dict.fromkeys(("limit", "offset"), "")
    ranges = []
    for role, name in _roles(compiled.string, getattr(compiled, "positiontup", None) or ()):
        if role in named:
            named[role] = named[role] or name
        else:
            ranges.append(name)
    return Roles(
        limit=named["limit"] or None,
        offset=named["offset"] or None,
        ranges=tuple(ranges),
        lists=lists,
        count=len(names),
    )


def roles_in_text(sql: str) -> tuple[int | None, int | None]:
    """LIMIT and OFFSET of raw SQL, where they are written out."""
    limit, offset = _LIMIT.search(sql), _OFFSET.search(sql)
    skipped = limit[1] if limit and limit[1] else offset[1] if offset else None
    return (int(limit[2]) if limit else None), (int(skipped) if skipped else None)


def values_of_list(values: Mapping[str, Any], name: str) -> Sequence[Any]:
    """The values of a list: in one bind, or expanded by SQLAlchemy into ``name_1``, ``name_2``."""
    whole = values.get(name)
    if isinstance(whole, list | tuple):
        return whole
    start = f"{name}_"
    return [
        value
        for key, value in values.items()
        if key.startswith(start) and key[len(start) :].replace("_", "").isdigit()
    ]


def _is_list(bind: Any, sql: str) -> bool:  # noqa: ANN401 - BindParameter
    return bind.expanding or (isinstance(bind.type, ARRAY) and "ANY" in sql)


def _roles(sql: str, order: Sequence[str]) -> Iterator[tuple[str, str]]:
    binds = list(_ROLE.finditer(sql))
    late = {found["late"] for found in binds}
    numbered = [name for name in dict.fromkeys(order) if name not in late]  # lists get theirs later
    limit_at = -1
    for position, found in enumerate(binds):
        name = found["python"] or found["colon"] or found["late"]
        if name is None and found["number"]:
            name = _at(numbered, int(found["number"]) - 1)
        elif name is None:
            name = _at(order, position)
        role = "limit" if found.start() == limit_at else (found["role"] or "").lower()
        comma = _COMMA.match(sql, found.end()) if role == "limit" else None
        if comma is not None and found["role"]:  # MySQL's LIMIT offset, limit
            role, limit_at = "offset", comma.end()
        if role and name:
            yield role, name


def _at(names: Sequence[str], index: int) -> str | None:
    return names[index] if index < len(names) else None


def _hashable(parameters: Any) -> Any:  # noqa: ANN401 - of any paramstyle
    if isinstance(parameters, dict):
        return tuple(parameters.values())
    if isinstance(parameters, list):
        return tuple(map(_hashable, parameters))
    return parameters


def _position(value: object) -> int | None:  # noqa: PLR0911 - one line for each type
    """A whole number in the order of the values of one type."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() | Decimal():
            return int(value * 1_000_000) if isfinite(value) else None
        case datetime():
            # Not by `timestamp`, which refuses `datetime.min`: "ever" in many an application.
            first = datetime.min.replace(tzinfo=UTC if value.tzinfo is not None else None)
            return (value - first) // timedelta.resolution
        case date():
            return value.toordinal()
        case UUID():
            return value.int
        case str():
            prefix = value.encode(errors="replace")[:_PREFIX_BYTES]
            return int.from_bytes(prefix.ljust(_PREFIX_BYTES, b"\0"), "big")
        case _:
            return None
