"""What the application maps: its tables with their Python side, and its class hierarchies.

A database tells neither the members of an enum that is stored as text, nor a default that Python
computes, nor which word in a column makes a row a `Dog`. A module of its own because of how the
models are found: no configuration names them where the schema comes from migrations.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.orm import Mapper, registry
from sqlalchemy.sql.visitors import iterate

__all__ = ["Lineage", "Models", "TableKey"]

TableKey = tuple[str, str]
"""Schema and name of a table."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """One class of an inheritance hierarchy: the tables that its objects have rows in."""

    name: str
    tables: tuple[TableKey, ...]
    """From the root of the hierarchy to the class's own."""
    discriminator: tuple[TableKey, str] | None
    """Table and column that tell the class of a row; None where nothing does."""
    identity: Any = None
    """What that column holds."""
    empty: tuple[str, ...] = ()
    """Further columns of that table that play a part, and that are NULL then."""


@dataclass(frozen=True, slots=True)
class Models:
    """Tables and mapped classes of an application.

    Args:
        metadatas: Collections of tables.
        mappers: Mapped classes.
        default_schema: Where tables without a schema lie.
        tables: See there.
    """

    metadatas: tuple[MetaData, ...] = ()
    mappers: tuple[Mapper[Any], ...] = ()
    default_schema: str = "public"
    tables: Mapping[TableKey, Table] = field(default_factory=dict)
    """The tables of one database; known from `fitting` on."""

    @classmethod
    def of(cls, *bases: Any) -> Models:  # noqa: ANN401 - declarative bases, registries, metadata
        """The models of declarative bases (or SQLModel), registries or collections of tables."""
        registries = [_registry_of(base) for base in bases]
        found = [item for item in registries if item is not None]
        plain = [base for base in bases if isinstance(base, MetaData)]
        metadatas = dict.fromkeys([*(item.metadata for item in found), *plain])
        mappers = dict.fromkeys(mapper for item in found for mapper in item.mappers)
        return cls(tuple(metadatas), tuple(mappers))

    @classmethod
    def found(cls) -> Models:
        """All models of the process, as long as its imports are.

        SQLAlchemy has no public list of registries; Python has one of all objects. Types are
        compared, not `isinstance`: that would wake up proxies.
        """
        alive = [item for item in gc.get_objects() if issubclass(type(item), (registry, MetaData))]
        return cls.of(*alive)

    def fitting(self, columns: Mapping[TableKey, Collection[str]]) -> Models:
        """The models of the tables that a database has.

        Of two with one name (a process may have imported two applications) the one that agrees
        better with the columns there. A table that is nowhere where its model says is one of the
        same name elsewhere: applications translate schemas, one for each tenant.
        """
        best: dict[TableKey, tuple[int, Table]] = {}
        for table in (table for metadata in self.metadatas for table in metadata.tables.values()):
            own = self._key(table)
            places = [own] if own in columns else [key for key in columns if key[1] == own[1]]
            for key in places:
                mine, there = {column.name for column in table.columns}, set(columns[key])
                score = len(mine & there) - len(mine - there)
                if key not in best or score > best[key][0]:
                    best[key] = (score, table)
        chosen = {key: table for key, (_, table) in best.items()}
        of_chosen = tuple(mapper for mapper in self.mappers if self._is_of(mapper, chosen))
        return replace(self, mappers=of_chosen, tables=chosen)

    def _is_of(self, mapper: Mapper[Any], chosen: Mapping[TableKey, Table]) -> bool:
        tables = [table for table in mapper.tables if isinstance(table, Table)]
        return all(chosen.get(self._key(table)) is table for table in tables)

    def lineages(self) -> Iterator[Lineage]:
        """Every class that has rows of its own in a hierarchy of several."""
        for mapper in self.mappers:
            is_alone = mapper.inherits is None and len(list(mapper.self_and_descendants)) == 1
            if is_alone or mapper.concrete or not isinstance(mapper.local_table, Table):
                continue
            lineage = self._lineage(mapper)
            if mapper.polymorphic_on is None or lineage.identity is not None:
                yield lineage

    def class_names(self) -> Mapping[str, TableKey]:
        """Names of mapped classes and the tables of their own."""
        return {
            mapper.class_.__name__: self._key(mapper.local_table)
            for mapper in self.mappers
            if isinstance(mapper.local_table, Table)
        }

    def _lineage(self, mapper: Mapper[Any]) -> Lineage:
        tables = [table for table in mapper.tables if isinstance(table, Table)]
        told_by = _discriminators(mapper)
        return Lineage(
            name=mapper.class_.__name__,
            tables=tuple(dict.fromkeys(self._key(table) for table in tables)),
            discriminator=(self._key(told_by[0].table), told_by[0].name) if told_by else None,
            identity=mapper.polymorphic_identity,
            empty=tuple(column.name for column in told_by[1:] if column.nullable),
        )

    def _key(self, table: Any) -> TableKey:  # noqa: ANN401 - a column's table is typed wider
        return table.schema or self.default_schema, table.name


def _discriminators(mapper: Mapper[Any]) -> list[Column[Any]]:
    """The column that tells the class of a row; of an expression, its columns, the surest first."""
    if mapper.polymorphic_on is None:
        return []
    columns = [item for item in iterate(mapper.polymorphic_on) if isinstance(item, Column)]
    return sorted(dict.fromkeys(columns), key=lambda column: bool(column.nullable))


def _registry_of(base: Any) -> registry | None:  # noqa: ANN401 - see Models.of
    if isinstance(base, registry):
        return base
    for name in ("registry", "_sa_registry"):  # SQLModel has the second one only
        found = getattr(base, name, None)
        if isinstance(found, registry):
            return found
    return None
