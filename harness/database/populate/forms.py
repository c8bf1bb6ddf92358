"""Ways to fill a column that nobody has described, the likeliest first.

What comes first is what an application would hold: a default, an address where the name says
e-mail. What comes later is for the conditions of the table: it is tried on the server when the
first is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from harness.database.populate.catalog import ColumnFacts
from harness.database.populate.texts import text_forms
from harness.database.populate.values import DEFAULT, Form, Value

__all__ = ["server_forms"]

_INTEGERS = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1, "oid": 2**31 - 1}
_FLOATS = {"float4", "float8"}
_FAR = 1000
"""More than a table of ours has rows: what is to lie above another number is so much higher."""
_BEGINNING = datetime(2024, 1, 1, 12, tzinfo=UTC)
_EVENT_OVER = re.compile(
    r"(?:^|_)(?:deleted|removed|archived|revoked|disabled|cancell?ed|banned|blocked|suspended|"
    r"expired|locked|hidden|closed|trashed|deactivated|rejected|failed)(?:_|$)"
)
_LATER = re.compile(r"(?:^|_)(?:end|ends|until|to|expires?|expiry|expiration|due|finish(?:ed)?)")
_NETWORKS = {
    "inet": "10.0.{0}.{1}",
    "cidr": "10.{0}.{1}.0/24",
    "macaddr": "08:00:2b:01:{0:02x}:{1:02x}",
    "macaddr8": "08:00:2b:ff:fe:01:{0:02x}:{1:02x}",
}
_FIXED = {
    "json": ("{}", "[]", "null"),
    "jsonb": ("{}", "[]", "null"),
    "xml": ("<a/>",),
    "tsvector": ("word",),
    "tsquery": ("word",),
    "hstore": ("",),
    "point": ("(1,1)",),
    "line": ("{1,1,0}",),
    "lseg": ("[(1,1),(2,2)]",),
    "box": ("(2,2),(1,1)",),
    "path": ("((1,1),(2,2))",),
    "polygon": ("((1,1),(2,2),(2,1))",),
    "circle": ("<(1,1),1>",),
    "jsonpath": ("$",),
    "geometry": ("POINT(1 1)",),
    "geography": ("POINT(1 1)",),
    "pg_lsn": ("0/1",),
}


def server_forms(column: ColumnFacts, constants: Sequence[str]) -> list[Form]:
    """Ways to write the column as text.

    Args:
        column: What the server says of it.
        constants: Numbers and strings that stand in the table's conditions on the column.
    """
    written = [*_typed(column), *_constants(column, constants), *_elements(column)]
    if not column.is_nullable:
        return written
    absent = Form(lambda _: None)
    is_better_absent = _EVENT_OVER.search(column.name.lower()) or not _is_plain(column)
    return [absent, *written] if is_better_absent else [*written, absent]


def default_form(column: ColumnFacts) -> Form | None:
    """The server's own default, if it has one."""
    if column.is_identity:
        return Form(lambda _: DEFAULT, is_distinct=True)
    if column.default_sql is None:
        return None
    is_call = "(" in column.default_sql and "now(" not in column.default_sql
    return Form(lambda _: DEFAULT, is_distinct=is_call)


def _is_plain(column: ColumnFacts) -> bool:
    """Whether any value of the type makes sense to the application: not so for documents."""
    return column.category in "SNDBTE" and column.base not in _FIXED


def _typed(column: ColumnFacts) -> Iterator[Form]:
    name, base = column.name.lower(), column.base
    if column.kind == "e":
        yield from _labels(column.labels)
    elif base == "bool":
        likely = "false" if _EVENT_OVER.search(name) else "true"
        yield Form(lambda _: likely)
        yield Form(lambda _: "true" if likely == "false" else "false")
    elif base in _INTEGERS:
        most = _INTEGERS[base]
        yield Form(lambda i: str(i % most), is_distinct=True)
        yield Form(lambda i: str((i + _FAR) % most), is_distinct=True)
    elif base == "numeric" or base in _FLOATS:
        yield from _decimals(column)
    elif base == "uuid":
        yield Form(lambda i: str(UUID(int=i, version=4)), is_distinct=True)
    elif column.category == "D":
        yield from _moments(name, base)
    elif base == "interval":
        yield Form(lambda i: f"{i} hours", is_distinct=True)
    elif column.category == "S":
        yield from text_forms(name, _length(column), is_padded=base == "bpchar")
    else:
        yield from _rare(column)


def _labels(labels: Sequence[str]) -> Iterator[Form]:
    if labels:
        yield Form(lambda i: labels[(i - 1) % len(labels)])
    yield from (Form(_always(label)) for label in labels)


def _always(value: Value) -> Callable[[int], Value]:
    return lambda _: value


def _decimals(column: ColumnFacts) -> Iterator[Form]:
    if column.modifier < 0 or column.base in _FLOATS:
        yield Form(str, is_distinct=True)
        yield Form(lambda i: str(Decimal(i) / _FAR), is_distinct=True)
        yield Form(lambda i: str(i + _FAR), is_distinct=True)
        return
    # As numeric_typmod packs it: the scale has eleven bits.
    precision = (column.modifier - 4) >> 16 & 0xFFFF
    scale = (column.modifier - 4) & 0x7FF
    whole, units = 10 ** max(precision - scale, 0), 10**precision
    if whole > _FAR:
        yield Form(lambda i: str(i % whole), is_distinct=True)
    yield Form(lambda i: str(Decimal(i % units).scaleb(-scale)), is_distinct=True)


def _moments(name: str, base: str) -> Iterator[Form]:
    shifts = (365, 0, -365) if _LATER.search(name) else (0, 365, -365)
    for days in shifts:
        yield Form(_moment(base, days), is_distinct=base != "time")


def _moment(base: str, days: int) -> Callable[[int], Value]:
    def make(number: int) -> Value:
        moment = _BEGINNING + timedelta(days=days, minutes=number)
        if base == "date":
            return (moment + timedelta(days=number)).date().isoformat()
        if base in {"time", "timetz"}:
            return moment.timetz().isoformat() if base == "timetz" else moment.time().isoformat()
        return (
            moment.isoformat() if base == "timestamptz" else moment.replace(tzinfo=None).isoformat()
        )

    return make


def _length(column: ColumnFacts) -> int | None:
    if column.base not in {"varchar", "bpchar"} or column.modifier < 0:
        return None
    return column.modifier - 4  # the header that PostgreSQL counts in


def _rare(column: ColumnFacts) -> Iterator[Form]:
    base = column.base
    if base in _NETWORKS:
        shape = _NETWORKS[base]
        yield Form(lambda i: shape.format(i // 250 % 250, i % 250 + 1), is_distinct=True)
    elif base in {"bit", "varbit"}:
        size = max(column.modifier, 1)
        yield Form(lambda i: f"{i % 2**size:0{size}b}")
    elif base == "bytea":
        yield Form(lambda i: f"\\x{i:08x}", is_distinct=True)
    elif base == "money":
        yield Form(str, is_distinct=True)
    elif base == "vector":
        yield Form(lambda i: f"[{','.join([str(i)] * max(column.modifier, 3))}]", is_distinct=True)
    elif base in {"ltree", "name"}:
        yield Form(lambda i: f"a{i}", is_distinct=True)
    elif column.kind in "rm":
        yield from _ranges(column)
    elif column.category == "A":
        yield Form(lambda _: "{}")
    else:
        for written in _FIXED.get(base, ()):
            yield Form(_always(written))
        yield Form(lambda i: f"a{i}", is_distinct=True)  # an extension's: mostly some kind of text


def _ranges(column: ColumnFacts) -> Iterator[Form]:
    """Ranges that do not meet, as exclusion constraints want them."""
    is_of_time = column.base.startswith(("ts", "date"))

    def make(number: int) -> Value:
        if not is_of_time:
            low, high = str(number), str(number + 1)
        else:
            day = _BEGINNING + timedelta(days=number)
            low, high = day.date().isoformat(), (day + timedelta(days=1)).date().isoformat()
        return f"{{[{low},{high})}}" if column.kind == "m" else f"[{low},{high})"

    yield Form(make, is_distinct=True)


def _constants(column: ColumnFacts, constants: Sequence[str]) -> Iterator[Form]:
    """What the conditions name, and for numbers what lies beside and between."""
    if column.category == "N":
        yield from _numbers(
            sorted({Decimal(each) for each in constants if _NUMBER.fullmatch(each)})
        )
    else:
        named = [each for each in constants if not _NUMBER.fullmatch(each)]
        yield from _labels(named)


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def _numbers(limits: Sequence[Decimal]) -> Iterator[Form]:
    for low, high in itertools.pairwise(limits):
        yield Form(_between(low, high))
    for limit in limits:
        for step in (0, 1, -1):
            yield Form(_always(str(limit + step)))
        yield Form(_beyond(limit, 1), is_distinct=True)
        yield Form(_beyond(limit, -1), is_distinct=True)
    for low, high in itertools.pairwise(limits):
        yield Form(_always(str((low + high) / 2)))


def _between(low: Decimal, high: Decimal) -> Callable[[int], Value]:
    return lambda i: str(low + i % (int(high - low) + 1))


def _beyond(limit: Decimal, sign: int) -> Callable[[int], Value]:
    return lambda i: str(limit + sign * i)


def _elements(column: ColumnFacts) -> Iterator[Form]:
    """An array with something in it, where it must not be empty."""
    if column.category == "A":
        for element in ("1", "a", "2024-01-01", "00000000-0000-4000-8000-000000000001"):
            yield Form(_always(f"{{{element}}}"))
