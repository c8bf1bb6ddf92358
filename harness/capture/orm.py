"""Why a statement ran, read from SQLAlchemy's execution context.

The one module that touches private names of the ORM. Everything that ``do_orm_execute`` would tell
is on the context when the cursor event fires, and merely listening to that event breaks
applications on SQLAlchemy 2.0.20 to 2.0.49 (sqlalchemy#13301). What is equal for all executions of
a statement is read once (`Subject`), what differs each time (`load_of`). Where `missing_names`
finds that one has moved, statements are told apart by their shapes alone, and the recording says
so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Any

import sqlalchemy
from sqlalchemy import Select, TextClause
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty
from sqlalchemy.orm import context as orm_context

from harness.capture.recording import Cause

__all__ = [
    "Kind",
    "Load",
    "Subject",
    "Target",
    "class_name",
    "load_of",
    "missing_names",
    "notice_of",
    "relationships_of",
    "root_of",
    "subject_of",
    "target_in",
]

_LOAD_OPTIONS = "_sa_orm_load_options"
_TOP_LEVEL = "sa_top_level_orm_context"
_LOADING = frozenset(
    {"sqlalchemy.orm.attributes", "sqlalchemy.orm.strategies", "sqlalchemy.orm.dynamic"}
)


class Kind(Enum):
    """What sort of statement SQLAlchemy was given."""

    RAW = auto()
    CORE = auto()
    SELECT = auto()
    """Of mapped classes."""
    CHANGE = auto()
    """INSERT, UPDATE or DELETE of a table, by a flush or by the application."""
    BULK = auto()
    """INSERT, UPDATE or DELETE of a mapped class."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about, whoever executes it."""

    kind: Kind
    is_text: bool = False
    """Whether the application wrote the SQL itself: its literals are values then."""
    is_get: bool = False
    entity: str | None = None
    entities: tuple[str, ...] = ()
    path: Any = None
    """SQLAlchemy's path registry of a relationship's load."""

    @property
    def relationships(self) -> tuple[str, ...]:
        """The path as text."""
        return relationships_of(self.path)

    @property
    def is_scalar(self) -> bool:
        """Whether the relationship that is loaded leads to one object."""
        last = self.path.path[-1] if self.path else None
        return isinstance(last, RelationshipProperty) and not last.uselist


@dataclass(frozen=True, slots=True)
class Load:
    """Why the ORM executed a SELECT this time."""

    cause: Cause
    parent: int | None = None
    """Hash of the object's identity."""
    parent_path: Any = None
    """SQLAlchemy's path registry that the object was loaded by."""
    parent_class: type | None = None
    session: int | None = None
    """Number of the object's session."""
    loaded_for: Cause | None = None


_QUERY = Load(Cause.QUERY)
_GET = Load(Cause.GET)
_LOADER = Load(Cause.LOADER, loaded_for=Cause.QUERY)
_RAW = Subject(Kind.RAW, is_text=True)
_CORE = Subject(Kind.CORE)


def missing_names() -> tuple[str, ...]:
    """The private names that this version of SQLAlchemy lacks; empty for those that we know."""
    state = getattr(orm_context, "_ORMCompileState", None) or getattr(
        orm_context, "ORMCompileState", None
    )
    context = getattr(orm_context, "QueryContext", None)
    owners: tuple[tuple[object, str, tuple[str, ...]], ...] = (
        (Select, "Select", ("_propagate_attrs", "_compile_options", "_where_criteria")),
        (Mapper, "Mapper", ("_get_clause",)),
        (InstanceState, "InstanceState", ("load_path", "key", "expired_attributes")),
        (
            getattr(context, "default_load_options", None),
            "QueryContext.default_load_options",
            ("_lazy_loaded_from", "_refresh_state", "_is_user_refresh"),
        ),
        (
            getattr(state, "default_compile_options", None),
            "ORMCompileState.default_compile_options",
            ("_current_path", "_only_load_props"),
        ),
    )
    return tuple(
        f"{owner}.{name}"
        for holder, owner, names in owners
        for name in names
        if not hasattr(holder, name)
    )


def notice_of(missing: tuple[str, ...]) -> str:
    """Say what an unknown version of SQLAlchemy costs."""
    return (
        f"SQLAlchemy {sqlalchemy.__version__} lacks {', '.join(missing)}: counts are exact, but "
        "statements are told apart by their shapes only, and relationships are not named"
    )


def subject_of(context: ExecutionContext | None, *, is_known: bool) -> Subject:
    """Read what a statement is about.

    Args:
        context: As the cursor events pass it on.
        is_known: Whether `missing_names` is empty.
    """
    invoked: Any = getattr(context, "invoked_statement", None)
    if context is None or invoked is None:
        return _RAW
    is_text = isinstance(invoked, TextClause) or isinstance(
        getattr(invoked, "element", None), TextClause
    )
    traits = invoked._propagate_attrs if is_known else {}  # noqa: SLF001 - this module owns them
    plugin_subject = traits.get("plugin_subject")
    if _is_change(context):
        kind = Kind.CHANGE if plugin_subject is None else Kind.BULK
        return Subject(kind, is_text=is_text, entity=class_name(plugin_subject))
    if plugin_subject is None:
        return _RAW if is_text else _CORE
    entity = class_name(plugin_subject)
    options = getattr(invoked, "_compile_options", None)
    return Subject(
        Kind.SELECT,
        is_text=is_text,
        is_get=_is_get(invoked, plugin_subject),
        entity=entity,
        entities=_entities(invoked, entity),
        path=getattr(options, "_current_path", None) or None,
    )


def load_of(context: ExecutionContext, subject: Subject) -> Load:  # noqa: PLR0911 - one per cause
    """Read why the ORM executed a SELECT of mapped classes."""
    options = context.execution_options
    load = options.get(_LOAD_OPTIONS)
    if load is None:
        return _QUERY if subject.path is None else _LOADER
    parent = load._lazy_loaded_from  # noqa: SLF001 - this module owns the ORM's private names
    if parent is not None:
        if _TOP_LEVEL not in options:
            return _for_parent(Cause.LAZY, parent)
        return _for_parent(Cause.LOADER, parent, loaded_for=_cause_of_top(options)[0])
    refreshed = load._refresh_state  # noqa: SLF001
    if subject.path is not None and (refreshed is None or _TOP_LEVEL in options):
        cause, state = _cause_of_top(options)
        if state is not None:
            return _for_parent(Cause.LOADER, state, loaded_for=cause)
        return _LOADER
    if refreshed is not None:
        return _for_parent(_cause_of_reload(context, load, refreshed), refreshed)
    return _GET if subject.is_get else _QUERY


def relationships_of(path: Any) -> tuple[str, ...]:  # noqa: ANN401 - a private class
    """The relationships of a path registry, e.g. ``("User.posts", "Post.comments")``."""
    if not path:
        return ()
    return tuple(str(step) for step in path.path if isinstance(step, RelationshipProperty))


def root_of(load: Load) -> str | None:
    """The class at the root of the query that loaded the parent."""
    if load.parent_path:
        return class_name(next(iter(load.parent_path.path)))
    return load.parent_class.__qualname__ if load.parent_class is not None else None


@dataclass(frozen=True, slots=True)
class Target:
    """The attribute whose load was refused, as the ORM's own frames tell it."""

    load: Load
    entity: str
    attribute: str
    is_relationship: bool
    is_scalar: bool


def target_in(frame: FrameType | None) -> Target | None:
    """Find the attribute that is being loaded, by the ORM's frames from here outwards.

    Nothing else names it: the loaders have no event for a load that they refuse, and what they
    raise is text. The outermost of these frames is the access itself.
    """
    found: Target | None = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module in _LOADING:
            found = _target(frame.f_locals) or found
        elif found is not None and not module.startswith("sqlalchemy."):
            break
        frame = frame.f_back
    return found


def _target(names: Mapping[str, Any]) -> Target | None:
    state, key = names.get("state"), names.get("key")
    key = key if isinstance(key, str) else getattr(names.get("self"), "key", None)
    if not isinstance(state, InstanceState) or not isinstance(key, str):
        return None
    attribute = state.mapper.attrs.get(key)
    is_relationship = isinstance(attribute, RelationshipProperty)
    return Target(
        load=_for_parent(Cause.LAZY, state),
        entity=class_name(state.mapper) or "",
        attribute=str(attribute) if is_relationship else f"{class_name(state.mapper)}.{key}",
        is_relationship=is_relationship,
        is_scalar=isinstance(attribute, RelationshipProperty) and not attribute.uselist,
    )


def _for_parent(cause: Cause, state: Any, loaded_for: Cause | None = None) -> Load:  # noqa: ANN401
    key = state.key
    return Load(
        cause=cause,
        parent=hash(key) if key is not None else id(state),
        parent_path=state.load_path,
        parent_class=state.class_,
        session=state.session_id,
        loaded_for=loaded_for,
    )


def _cause_of_top(options: Any) -> tuple[Cause, Any]:  # noqa: ANN401 - immutabledict
    """Why the query runs that an eager loader works for, and the object that it refreshes."""
    top = options.get(_TOP_LEVEL)
    load = getattr(top, "load_options", None)
    state = getattr(load, "_refresh_state", None)
    if state is None:
        return Cause.QUERY, None
    return (Cause.REFRESH if getattr(load, "_is_user_refresh", False) else Cause.EXPIRED), state


def _cause_of_reload(context: Any, load: Any, state: Any) -> Cause:  # noqa: ANN401
    if load._is_user_refresh:  # noqa: SLF001
        return Cause.REFRESH
    wanted = context.invoked_statement._compile_options._only_load_props  # noqa: SLF001
    is_expired = wanted is None or not wanted.isdisjoint(state.expired_attributes)
    return Cause.EXPIRED if is_expired else Cause.DEFERRED


def _is_change(context: Any) -> bool:  # noqa: ANN401 - dialects differ in their context classes
    return bool(context.isinsert or context.isupdate or context.isdelete)


def _is_get(invoked: Any, plugin_subject: Any) -> bool:  # noqa: ANN401
    """A `get` compares with the mapper's own clause, whose values are not in it."""
    criteria: Any = getattr(invoked, "_where_criteria", ())
    clause: Any = getattr(plugin_subject, "_get_clause", None)
    if len(criteria) != 1 or clause is None:
        return False
    return criteria[0] is clause[0] or bool(criteria[0].compare(clause[0]))  # 2.0 has a copy of it


def _entities(invoked: Any, entity: str | None) -> tuple[str, ...]:  # noqa: ANN401
    """The classes whose objects a SELECT returns; not those that it takes columns of."""
    described = getattr(invoked, "column_descriptions", None)
    if described is None:
        return (entity,) if entity is not None else ()
    whole = [item["entity"] for item in described if item["expr"] is item.get("entity")]
    found = (class_name(sqlalchemy.inspect(item, raiseerr=False)) for item in whole)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def class_name(mapper: Any) -> str | None:  # noqa: ANN401 - mapper or aliased entity
    """The class behind a mapper or an aliased entity, e.g. ``User``."""
    cls = getattr(mapper, "class_", None)
    return cls.__qualname__ if cls is not None else None
