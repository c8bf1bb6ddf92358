"""What is written into one column: text that the server reads, a Python value, NULL or a default.

Almost everything is text with a cast to the column's type, as a person would write it in SQL: the
server knows all its types, a driver only some. Python values go through types of the application's
own, whose translation nobody else knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Text, cast, literal, null
from sqlalchemy.types import TypeEngine, UserDefinedType

__all__ = ["DEFAULT", "Bound", "Form", "Row", "Value", "expression"]


class _Default(Enum):
    DEFAULT = auto()


DEFAULT = _Default.DEFAULT
"""Left to whoever has a default for it: the server, or the model."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A Python value, and the type of the application's that translates it."""

    value: Any
    type: TypeEngine[Any]


Value: TypeAlias = str | Bound | _Default | None
"""Text is cast to the column's type; None is NULL."""

Row: TypeAlias = Mapping[str, str | None]
"""A row as the server has it, every value as text."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to make the values of a column."""

    make: Callable[[int], Value]
    """Takes the number of the row, which no other row of the table has."""
    is_distinct: bool = False
    """Whether no two rows get the same."""


class _Named(UserDefinedType[Any]):
    """A type by the name that the server gives it."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
        return self.name


def expression(value: Value, type_name: str) -> ColumnElement[Any]:
    """The value as a part of a statement; not for `DEFAULT`."""
    if isinstance(value, Bound):
        return literal(value.value, value.type)
    if isinstance(value, str):
        return cast(literal(value, Text()), _Named(type_name))
    return null()
