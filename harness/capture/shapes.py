"""What all executions of one statement have in common, found once and kept where it dies with it.

SQLAlchemy compiles a statement once and keeps the result in its own cache. What can be told from
the compiled form hangs on that object, so that looking it up costs one attribute and forgetting it
is SQLAlchemy's affair. Raw SQL has no such object: its shapes are kept here, by a key, because its
text may hold literals that are values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine.interfaces import ExecutionContext

from harness.capture.binds import BindKeys, Roles, bind_keys, roles_in_text, roles_of
from harness.capture.fingerprint import Fingerprint, fingerprint, is_write, value_rows
from harness.capture.orm import Kind, Subject, missing_names, notice_of, subject_of
from harness.capture.recording import Cause

__all__ = ["Shape", "ShapeBook", "is_transaction_control"]


_MOST_SHAPES = 4096
_LONGEST_KEPT = 4096  # an INSERT of a thousand rows has 50 kB, its shape a line
_CONTROL = re.compile(
    r"\s*(?:SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|SET\s+TRANSACTION)\b", re.IGNORECASE
)
_SEARCH_PATH = re.compile(r"\s*(?:SET|SELECT)\b.*\bsearch_path\b", re.IGNORECASE | re.DOTALL)
_CATALOGUE = re.compile(
    r"""\s*PRAGMA\b
    | \b(?:FROM|JOIN)\s+ (?: "?pg_catalog"?\. | "?information_schema"?\. | pg_class\b
        | sqlite_(?:master|schema)\b | (?:main|temp)\.sqlite_ )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(slots=True, eq=False)
class Shape:
    """What is equal for all executions of a statement."""

    subject: Subject
    cause: Cause
    """Unless the ORM knows better for one execution."""
    is_control: bool = False
    is_write: bool = False
    is_orm_select: bool = False
    sets_search_path: bool = False
    roles: Roles = field(default_factory=Roles)
    has_roles: bool = False
    limit: int | None = None
    offset: int | None = None
    text_key: int = 0
    """A key of SQL that the application wrote, for its literals; 0 for what was rendered."""
    rows: int = 1
    """Groups behind VALUES."""
    depth: int = 1
    """Of the first frame, from a listener, that may be the user's."""
    rendered: str = ""
    known: Fingerprint | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """Its shape as text, derived when it is first asked for."""
        if self.known is None:
            self.known = fingerprint(self.rendered, is_compiled=True)
        return self.known


def is_transaction_control(sql: str) -> bool:
    """Whether SQL is a SAVEPOINT or its kin: neither statement nor round trip."""
    return _CONTROL.match(sql) is not None


@dataclass(slots=True, eq=False)
class ShapeBook:
    """Finds the shape of what is executed."""

    keys: BindKeys = field(default_factory=bind_keys)
    notice: str = field(init=False)
    """Why the ORM's part is not known; empty where it is."""
    _is_known: bool = field(init=False)
    _of_text: dict[int, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = missing_names()
        self._is_known = not missing
        self.notice = notice_of(missing) if missing else ""

    def shape(self, statement: str, context: ExecutionContext | None) -> Shape:
        """The shape of what is executed; it hangs on the compiled form as ``harness_shape``."""
        compiled: Any = getattr(context, "compiled", None)
        if compiled is None:
            return self._shape_of_text(statement)
        shape = self._new(statement, context, compiled)
        compiled.harness_shape = shape
        return shape

    def _shape_of_text(self, statement: str) -> Shape:
        key = self.keys.of(statement)
        shape = self._of_text.get(key)
        if shape is None:
            if len(self._of_text) >= _MOST_SHAPES:
                self._of_text.clear()  # SQL with literals has no end of shapes
            shape = self._of_text[key] = self._new(statement, None, None)
        return shape

    def _new(self, statement: str, context: ExecutionContext | None, compiled: Any) -> Shape:  # noqa: ANN401
        sql = str(getattr(compiled, "string", None) or statement)
        subject = subject_of(context, is_known=self._is_known)
        is_rendered = bool(compiled) and not subject.is_text
        roles = roles_of(compiled) if compiled is not None else Roles()
        limit, offset = (None, None) if is_rendered else roles_in_text(sql)
        changes = is_write(sql)
        is_kept = is_rendered and len(sql) <= _LONGEST_KEPT
        return Shape(
            subject=subject,
            cause=_cause(subject, sql),
            is_control=is_transaction_control(sql),
            is_write=changes,
            is_orm_select=subject.kind is Kind.SELECT,
            sets_search_path=not is_rendered and bool(_SEARCH_PATH.match(sql)),
            roles=roles,
            has_roles=roles.are_any,
            limit=limit,
            offset=offset,
            text_key=0 if is_rendered else self.keys.of(sql),
            rows=value_rows(sql) if changes else 1,
            rendered=sql if is_kept else "",
            known=None if is_kept else fingerprint(sql, is_compiled=is_rendered),
        )


def _cause(subject: Subject, sql: str) -> Cause:
    if subject.kind in {Kind.RAW, Kind.CORE} and _CATALOGUE.search(sql):
        return Cause.REFLECTION
    return {Kind.RAW: Cause.RAW, Kind.BULK: Cause.BULK, Kind.SELECT: Cause.QUERY}.get(
        subject.kind, Cause.CORE
    )
