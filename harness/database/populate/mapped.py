"""Ways to fill a column that the models know more of than the server does.

A type of the application's own translates between Python and the database, so a value must be what
the application itself could have written: else reading it raises, and the endpoint answers 500.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PythonEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Dialect, Enum
from sqlalchemy.types import TypeDecorator, TypeEngine

from harness.database.populate.catalog import ColumnFacts
from harness.database.populate.forms import default_form, server_forms
from harness.database.populate.values import DEFAULT, Bound, Form, Value

__all__ = ["forms_of"]

_EXPECTED: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int2": (int,),
    "int4": (int,),
    "int8": (int,),
    "numeric": (Decimal, int, float),
    "float4": (float, int),
    "float8": (float, int),
    "text": (str,),
    "varchar": (str,),
    "bpchar": (str,),
    "bytea": (bytes,),
    "uuid": (UUID, str),
    "date": (date,),
    "time": (time,),
    "timestamp": (datetime,),
    "timestamptz": (datetime,),
    "interval": (timedelta,),
}
_TRIED = (1, 2, 9)
_VALUES: tuple[object, ...] = (True, {}, [], None)


def forms_of(
    facts: ColumnFacts, column: Column[Any] | None, constants: list[str], dialect: Dialect
) -> list[Form]:
    """Every way to fill a column, the likeliest first; none where the server computes it.

    Args:
        facts: The server's view.
        column: The model's view, if there is a model.
        constants: What the table's conditions name.
        dialect: Of the connection that the rows are written through.
    """
    if facts.is_generated:
        return []
    forms = server_forms(facts, constants)
    if column is not None:
        forms = _of_type(column.type, facts, forms, dialect)
    default = default_form(facts)
    if column is not None and column.default is not None:
        default = Form(lambda _: DEFAULT, is_distinct=not column.default.is_scalar)
    return [default, *forms] if default is not None else forms


def _of_type(
    type_: TypeEngine[Any], facts: ColumnFacts, forms: list[Form], dialect: Dialect
) -> list[Form]:
    if isinstance(type_, Enum) and facts.kind != "e":
        labels = [label for label in type_.enums if label is not None]
        return [Form(lambda i: labels[(i - 1) % len(labels)]), *forms] if labels else forms
    implementation = type_.dialect_impl(dialect)
    if isinstance(type_, TypeDecorator):
        own = [*_decorated(type_, facts, forms, dialect)]
    elif isinstance(implementation, TypeDecorator):  # a variant for this database
        own = [*_decorated(implementation, facts, forms, dialect)]
    else:
        return forms
    absent = [Form(lambda _: None)] if facts.is_nullable else []
    return [*own, *absent] or forms


def _decorated(
    type_: TypeDecorator[Any], facts: ColumnFacts, forms: list[Form], dialect: Dialect
) -> Iterator[Form]:
    """The Python values that the type can write, and read again."""
    for form in _python_forms(type_, forms):
        if all(_survives(type_, form.make(number), facts, dialect) for number in _TRIED):
            yield Form(_bound(form.make, type_), is_distinct=form.is_distinct)


def _bound(make: Callable[[int], Any], type_: TypeEngine[Any]) -> Callable[[int], Value]:
    return lambda i: Bound(make(i), type_)


def _survives(
    type_: TypeDecorator[Any], value: object, facts: ColumnFacts, dialect: Dialect
) -> bool:
    try:
        written = value
        if _has_own(type_, "process_bind_param"):
            written = type_.process_bind_param(value, dialect)
        if not isinstance(written, _EXPECTED.get(facts.base, (object,))):
            return False
        if isinstance(written, bool) != (facts.base == "bool") and facts.base in _EXPECTED:
            return False
        if _has_own(type_, "process_result_value"):
            type_.process_result_value(written, dialect)
    except Exception:  # noqa: BLE001 - the application's code says by any exception that it cannot
        return False
    return True


def _has_own(type_: TypeDecorator[Any], method: str) -> bool:
    """Whether the type translates in this direction; the method of the base class raises."""
    return getattr(type(type_), method) is not getattr(TypeDecorator, method)


def _python_forms(type_: TypeDecorator[Any], forms: list[Form]) -> Iterator[Form]:
    for found in (*vars(type_).values(), *vars(type(type_)).values()):
        if isinstance(found, type) and issubclass(found, PythonEnum) and len(found):
            members = list(found)
            yield Form(_cycle(members))
    for form in forms:
        if isinstance(form.make(1), str):
            yield form
    yield Form(lambda i: i, is_distinct=True)  # type: ignore[arg-type, return-value]
    yield from (Form(make, is_distinct=True) for make in _MAKERS)
    yield from (Form(_constant(value)) for value in _VALUES)


def _cycle(members: list[Any]) -> Callable[[int], Any]:
    return lambda i: members[(i - 1) % len(members)]


def _constant(value: Any) -> Callable[[int], Any]:  # noqa: ANN401 - a candidate of any type
    return lambda _: value


_MAKERS: tuple[Callable[[int], Any], ...] = (
    lambda i: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=i),
    lambda i: datetime(2024, 1, 1) + timedelta(minutes=i),  # noqa: DTZ001 - for columns without a zone
    lambda i: date(2024, 1, 1) + timedelta(days=i),
    lambda i: time(12, i % 60),
    lambda i: timedelta(hours=i),
    lambda i: UUID(int=i, version=4),
    Decimal,
    float,
    lambda i: f"value {i}".encode(),
)
