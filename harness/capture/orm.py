"""Why a statement ran, read from SQLAlchemy's execution context.

The one module that touches private names of the ORM. Everything that ``do_orm_execute`` would tell
is on the context when the cursor event fires, and merely listening to that event breaks
applications on SQLAlchemy 2.0.20 to 2.0.49 (sqlalchemy#13301). Where a name is missing, the answer
degrades to "a query": counts stay exact, relationships are not named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, TextClause
from sqlalchemy.engine.interfaces import ExecutionContext

from harness.capture.recording import Cause

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What made SQLAlchemy run a statement."""

    cause: Cause
    entity: str | None = None
    relationship: str | None = None
    is_scalar: bool = False
    parent_key: int | None = None
    parent_entity: str | None = None


_RAW = Origin(Cause.RAW)
_CORE = Origin(Cause.CORE)
_WRITE = Origin(Cause.WRITE)


def origin_of(context: ExecutionContext | None) -> Origin:
    """Read the origin of a statement from its execution context."""
    invoked = getattr(context, "invoked_statement", None)
    if context is None or invoked is None or isinstance(invoked, TextClause):
        return _RAW
    if getattr(context, "isinsert", False) or _is_change(context):
        return _WRITE
    if not isinstance(invoked, Select):
        return _CORE
    subject = getattr(invoked, "_propagate_attrs", {}).get("plugin_subject")
    if subject is None:
        return _CORE
    return _select_origin(context, invoked, _class_name(subject))


def _is_change(context: Any) -> bool:  # noqa: ANN401 - dialects differ in their context classes
    return bool(context.isupdate or context.isdelete or context.isddl)


def _select_origin(context: Any, invoked: Any, entity: str | None) -> Origin:  # noqa: ANN401 - private options
    options = context.execution_options
    load_options = options.get("_sa_orm_load_options")
    path = getattr(getattr(invoked, "_compile_options", None), "_current_path", None)
    relationship = path[-1] if path else None
    parent = getattr(load_options, "_lazy_loaded_from", None)
    if parent is not None and "sa_top_level_orm_context" not in options:
        return Origin(
            cause=Cause.LAZY,
            entity=entity,
            relationship=str(relationship) if relationship is not None else None,
            is_scalar=not getattr(relationship, "uselist", True),
            parent_key=hash(parent.key) if parent.key else id(parent),
            parent_entity=_root_entity(parent),
        )
    if relationship is not None:
        return Origin(Cause.LOADER, entity=entity, relationship=str(relationship))
    if getattr(load_options, "_refresh_state", None) is not None:
        return Origin(Cause.RELOAD, entity=entity)
    return Origin(Cause.QUERY, entity=entity)


def _root_entity(state: Any) -> str | None:  # noqa: ANN401 - InstanceState's path is untyped
    path = getattr(state, "load_path", None)
    return _class_name(path[0]) if path else _class_name(state.mapper)


def _class_name(mapper: Any) -> str | None:  # noqa: ANN401 - mapper or aliased entity
    cls = getattr(mapper, "class_", None)
    return cls.__qualname__ if cls is not None else None
