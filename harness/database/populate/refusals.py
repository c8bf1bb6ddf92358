"""What the server, or the application's own type, says when it does not take a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, StatementError

from harness.database.populate.catalog import TableFacts

__all__ = ["Refusal", "refusal_of"]

_MEANINGS: Mapping[str, str] = {
    "23502": "no value for",
    "23503": "a foreign key",
    "23505": "a uniqueness",
    "23514": "a CHECK",
    "23P01": "an exclusion",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row was not taken."""

    name: str
    """Of the constraint or column, else the server's code: equal for equal reasons."""
    columns: tuple[str, ...]
    """What it is about; empty where nobody says."""
    words: str
    is_unique: bool = False


def refusal_of(error: StatementError, facts: TableFacts) -> Refusal:
    """Read an error of any of the drivers."""
    if not isinstance(error, DBAPIError):
        reason = error.orig or error
        words = f"{type(reason).__name__}: {_first_line(reason)}"
        return Refusal(type(reason).__name__, (), words)
    # psycopg's has a `diag`; asyncpg's own exception is the cause of the adapter's.
    original = error.orig
    detail = getattr(original, "diag", None) or getattr(original, "__cause__", None) or original
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    constraint = getattr(detail, "constraint_name", None)
    column = getattr(detail, "column_name", None)
    condition = facts.conditions.get(constraint or "")
    name = constraint or column or code or type(original).__name__
    columns = condition.columns if condition else ((column,) if column else ())
    words = _MEANINGS.get(code, "")
    if words and (constraint or column):
        words = f"{words} {constraint or column}"
        if condition is not None and condition.definition:
            words += f": {condition.definition}"
    else:
        words = _first_line(original)
    return Refusal(name, columns, words, is_unique=code == "23505")


def _first_line(error: BaseException | None) -> str:
    text = str(error).strip().splitlines()
    # SQLAlchemy's adapter puts the class of the driver's exception in front.
    return text[0].rpartition("'>: ")[2] if text else type(error).__name__
