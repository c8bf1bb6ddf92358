"""Rows for all tables: n of each, row i pointing at row i of its parents.

So every row has parents of its own, and what loads a parent for each row shows. A second kind of
rows, the crowd, has one parent: the first row of its table, which is what a path parameter names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    cast,
    column,
    func,
    select,
    table,
    update,
)
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from harness.database.populate.catalog import TableFacts, read_catalog
from harness.database.populate.conditions import constants_for
from harness.database.populate.filler import Filler, Wish
from harness.database.populate.mapped import forms_of
from harness.database.populate.models import Lineage, Models, TableKey
from harness.database.populate.order import Link, filling_order
from harness.database.populate.refusals import Refusal
from harness.database.populate.values import Bound, Row, Value, expression

__all__ = ["Filled", "Population", "populate"]

_MOST_OLD_ROWS = 50
_MOST_CROWDS = 4
"""So many foreign keys of a table get a crowd: the first of them are its owners, mostly."""
_REPLY = " (reply)"


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of one table."""

    table: str
    """With its schema where that is not the default."""
    wanted: int
    rows: int
    problem: str = ""
    """Why there are fewer than wanted."""


@dataclass(slots=True, eq=False)
class Population:
    """The rows that were made in one database, so that more can be added to them."""

    models: Models
    _fillers: dict[TableKey, Filler] = field(default_factory=dict)
    _strata: dict[TableKey, dict[str, Mapping[str, Value]]] = field(default_factory=dict)
    _rows: dict[TableKey, dict[str, list[Row]]] = field(default_factory=dict)
    _old: dict[TableKey, list[Row]] = field(default_factory=dict)
    _problems: dict[TableKey, Refusal] = field(default_factory=dict)
    _lineages: tuple[Lineage, ...] = ()
    _unlinked: list[tuple[TableKey, Link, Row, Wish]] = field(default_factory=list)
    _crowd: int = 0
    _wanted: int = 0

    @classmethod
    def read(cls, connection: Connection, models: Models | None = None) -> Population:
        """Get to know a database.

        Args:
            connection: To a PostgreSQL; everything goes through it, nothing is committed.
            models: What the application maps; by default, all models of this process.
        """
        catalog = read_catalog(connection)
        models = (models or Models.found()).fitting(
            {key: facts.columns.keys() for key, facts in catalog.items()}
        )
        made = cls(models, _lineages=tuple(models.lineages()))
        for key in filling_order({key: facts.links for key, facts in catalog.items()}):
            facts, model = catalog[key], models.tables.get(key)
            made._strata[key] = made._strata_of(key)
            made._old[key] = _old_rows(connection, facts)
            made._fillers[key] = made._filler(facts, model, connection)
        return made

    def grow(self, connection: Connection, *, to: int) -> tuple[Filled, ...]:
        """Bring every class of every table to so many rows.

        Tables that refer to themselves get as many again, each below a row of the first half.
        """
        self._wanted = to
        for key, filler in self._fillers.items():
            for stratum, fixed in self._strata[key].items():
                is_reply = stratum.endswith(_REPLY)
                self._extend(connection, filler, stratum, fixed, to=to, is_root=not is_reply)
        self._link(connection)
        return tuple(self._filled(key) for key in self._fillers)

    def crowd(self, connection: Connection, *, to: int) -> None:
        """Give the first row of every table so many further children by each foreign key.

        Their other parents differ. What the database refuses (one row for each parent) is left out.
        """
        for key, filler in self._fillers.items():
            stratum, fixed = next(iter(self._strata[key].items()))
            for link in self._crowded(filler.facts):
                wishes = [
                    Wish(
                        index,
                        stratum=stratum,
                        fixed=fixed,
                        first_of=link,
                        is_root=link.parent != key,
                        is_worth_a_search=False,
                    )
                    for index in range(self._crowd, to)
                ]
                filler.add_all(connection, wishes)
        self._crowd = max(self._crowd, to)

    def rows(self, key: TableKey) -> Sequence[Row]:
        """The rows of a table: those that were made, else those that were there before."""
        made = next((rows for rows in self._rows.get(key, {}).values() if rows), [])
        return made or self._old.get(key, [])

    def tables(self) -> Mapping[TableKey, TableFacts]:
        """All tables, parents first."""
        return {key: filler.facts for key, filler in self._fillers.items()}

    def _extend(
        self,
        connection: Connection,
        filler: Filler,
        stratum: str,
        fixed: Mapping[str, Value],
        *,
        to: int,
        is_root: bool,
    ) -> None:
        key = filler.facts.key
        rows = self._rows.setdefault(key, {}).setdefault(stratum, [])
        wishes = [
            Wish(index, stratum=stratum, fixed=fixed, is_root=is_root)
            for index in range(len(rows), to)
        ]
        for wish, outcome in zip(wishes, filler.add_all(connection, wishes), strict=False):
            if isinstance(outcome, Refusal):
                self._problems[key] = outcome
                return
            rows.append(outcome)
            for link in filler.facts.links:
                is_late = link.parent in self._fillers and link.parent != key
                if is_late and all(outcome[name] is None for name in link.columns):
                    self._unlinked.append((key, link, outcome, wish))

    def _link(self, connection: Connection) -> None:
        """Point at parents that came later: the tables refer to each other in a circle."""
        pending, self._unlinked = self._unlinked, []
        for key, link, row, wish in pending:
            parents = self._parents(link, wish)
            filler = self._fillers[key]
            if parents and filler.facts.primary_key:
                parent = parents[wish.index % len(parents)]
                _point(connection, filler, link, row, parent)

    def _parents(self, link: Link, wish: Wish) -> Sequence[Row]:
        made = self._rows.get(link.parent, {})
        stratum = wish.stratum.removesuffix(_REPLY)
        rows = made.get(stratum) or self.rows(link.parent)
        if len(rows) == 1:  # two foreign keys to one table may have to differ
            return [*rows, *(row for row in self._old[link.parent] if row is not rows[0])]
        return rows

    def _crowded(self, facts: TableFacts) -> list[Link]:
        """Foreign keys that may lead from many rows to one; not what makes a row of a subclass."""
        many = [
            link
            for link in facts.links
            if not any(unique <= set(link.columns) for unique in facts.uniques())
        ]
        return sorted(many, key=lambda link: link.is_nullable)[:_MOST_CROWDS]

    def _strata_of(self, key: TableKey) -> dict[str, Mapping[str, Value]]:
        strata: dict[str, Mapping[str, Value]] = {}
        for lineage in self._lineages:
            if key in lineage.tables:
                fixed: dict[str, Value] = {}
                if lineage.discriminator is not None and lineage.discriminator[0] == key:
                    name = lineage.discriminator[1]
                    fixed |= dict.fromkeys(lineage.empty)
                    fixed[name] = Bound(
                        lineage.identity, self.models.tables[key].columns[name].type
                    )
                strata[lineage.name] = fixed
        return strata or {"": {}, _REPLY: {}}

    def _filler(self, facts: TableFacts, model: Table | None, connection: Connection) -> Filler:
        columns = {} if model is None else {item.name: item for item in model.columns}
        forms = {
            name: forms_of(item, columns.get(name), constants_for(facts, name), connection.dialect)
            for name, item in facts.columns.items()
        }
        if not any(link.parent == facts.key and link.is_nullable for link in facts.links):
            self._strata[facts.key].pop(_REPLY, None)
        return Filler(
            facts,
            _insertable(facts, columns),
            {name: ways for name, ways in forms.items() if ways},
            self._parents,
            _count(connection, facts.key),
        )

    def _filled(self, key: TableKey) -> Filled:
        schema, name = key
        strata = self._rows[key]
        problem = self._problems.get(key)
        wanted = self._wanted * len(self._strata[key])
        rows = sum(len(rows) for rows in strata.values())
        is_short = problem is not None and rows < wanted
        return Filled(
            table=name if schema == self.models.default_schema else f"{schema}.{name}",
            wanted=wanted,
            rows=rows,
            problem=problem.words if problem is not None and is_short else "",
        )


def populate(
    work: Session | Connection, *, n: int, models: Models | None = None, crowd: int = 0
) -> tuple[Filled, ...]:
    """Make n rows in every table; nothing is committed.

    In an asynchronous test: ``await session.run_sync(populate, n=3)``.

    Args:
        work: A session or a connection.
        n: Rows for each table, and for each class of a hierarchy.
        models: What the application maps; by default, all models of this process.
        crowd: Further children for the first row of every table.
    """
    connection = work.connection() if isinstance(work, Session) else work
    population = Population.read(connection, models)
    filled = population.grow(connection, to=n)
    population.crowd(connection, to=crowd)
    return filled


def _insertable(facts: TableFacts, model: Mapping[str, Column[Any]]) -> Table:
    """The table as the server has it, with the defaults that the model computes in Python."""
    columns = []
    for name in facts.columns:
        known = model.get(name)
        default = known.default if known is not None else None
        argument: Any = None
        if isinstance(default, DatabaseSequence):
            argument = DatabaseSequence(default.name, schema=default.schema)
        elif default is not None:
            argument = getattr(default, "arg", None)
        made: Column[Any] = Column(name, NullType() if known is None else known.type)
        if argument is not None:
            made = Column(name, NullType() if known is None else known.type, default=argument)
        columns.append(made)
    schema, name = facts.key
    return Table(name, MetaData(), *columns, schema=schema)


def _old_rows(connection: Connection, facts: TableFacts) -> list[Row]:
    schema, name = facts.key
    source = table(name, *(column(each) for each in facts.columns), schema=schema)
    query = select(*(cast(each, Text()).label(each.name) for each in source.columns))
    return [dict(row) for row in connection.execute(query.limit(_MOST_OLD_ROWS)).mappings()]


def _count(connection: Connection, key: TableKey) -> int:
    rows = table(key[1], schema=key[0])
    return connection.execute(select(func.count()).select_from(rows)).scalar_one()


def _point(connection: Connection, filler: Filler, link: Link, row: Row, parent: Row) -> None:
    columns = filler.facts.columns
    values = {
        name: expression(parent[theirs], columns[name].type_name)
        for name, theirs in zip(link.columns, link.parent_columns, strict=True)
    }
    own = [
        cast(filler.table.columns[name], Text()) == row[name] for name in filler.facts.primary_key
    ]
    try:
        with connection.begin_nested():
            connection.execute(update(filler.table).where(*own).values(values))
    except DBAPIError:
        return  # it may stay empty: a condition that only this row knows of
