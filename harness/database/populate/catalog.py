"""What the server knows of its tables: columns, types, keys and conditions, in four queries.

Read from PostgreSQL's catalogs, not by SQLAlchemy's reflection: that takes dozens of queries, warns
of every type it does not know, and leaves out the columns of a CHECK, domains and exclusions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from harness.database.populate.models import TableKey
from harness.database.populate.order import Link

__all__ = ["ColumnFacts", "Condition", "TableFacts", "read_catalog"]

_OURS = """
    c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND c.relname <> 'alembic_version'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
"""
_COLUMNS = f"""
WITH RECURSIVE resolved AS (
    SELECT oid AS declared, oid, typtypmod AS modifier, typnotnull AS not_null FROM pg_type
    UNION ALL
    SELECT r.declared, t.typbasetype, t.typtypmod, r.not_null OR t.typnotnull
    FROM resolved r JOIN pg_type t ON t.oid = r.oid WHERE t.typtype = 'd'
)
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type_name,
    CASE WHEN d.typtype = 'd' THEN d.typname END AS domain,
    b.typname AS base, b.typtype AS kind, b.typcategory AS category,
    CASE WHEN d.typtype = 'd' THEN r.modifier ELSE a.atttypmod END AS modifier,
    a.attnotnull OR r.not_null AS not_null,
    pg_get_expr(ad.adbin, ad.adrelid) AS default_sql,
    a.attgenerated <> '' AS is_generated, a.attidentity <> '' AS is_identity,
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = b.oid
          ORDER BY e.enumsortorder) AS labels
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type d ON d.oid = a.atttypid
JOIN resolved r ON r.declared = a.atttypid JOIN pg_type b ON b.oid = r.oid AND b.typtype <> 'd'
LEFT JOIN pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_OURS}
ORDER BY c.oid, a.attnum
"""  # noqa: S608 - a constant
_NAMES = """ARRAY(SELECT a.attname::text FROM unnest({keys}) WITH ORDINALITY k(number, place)
    JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.number ORDER BY k.place)"""
_CONSTRAINTS = f"""
SELECT n.nspname, c.relname, o.conname, o.contype, pg_get_constraintdef(o.oid) AS definition,
    {_NAMES.format(keys="o.conkey", table="o.conrelid")} AS columns,
    pn.nspname AS parent_schema, p.relname AS parent,
    {_NAMES.format(keys="o.confkey", table="o.confrelid")} AS parent_columns
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class p ON p.oid = o.confrelid LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE o.contype IN ('c', 'f', 'x') AND {_OURS}
ORDER BY o.conrelid, o.conname
"""  # noqa: S608 - a constant
_UNIQUE = f"""
SELECT n.nspname, c.relname, ic.relname AS conname, i.indisprimary,
    {_NAMES.format(keys="i.indkey::int2[]", table="i.indrelid")} AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class ic ON ic.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND {_OURS} ORDER BY i.indrelid, ic.relname
"""  # noqa: S608 - a constant
_DOMAINS = """
SELECT o.conname, t.typname AS domain, pg_get_constraintdef(o.oid) AS definition
FROM pg_constraint o JOIN pg_type t ON t.oid = o.contypid WHERE o.contype = 'c'
"""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column as the server has it."""

    name: str
    type_name: str
    """As SQL writes it, quoted where it must be: ``character varying(20)``."""
    base: str
    """Name of the type below all domains: ``int4``; an array's begins with ``_``."""
    kind: str
    """``b`` base, ``e`` enum, ``c`` composite, ``r`` range, ``m`` multirange."""
    category: str
    """PostgreSQL's ``typcategory``: ``S`` text, ``N`` number, ``D`` date, ``A`` array, …"""
    modifier: int
    """Length or precision as the catalog encodes it; -1 for none."""
    is_nullable: bool
    default_sql: str | None
    is_generated: bool
    is_identity: bool
    labels: tuple[str, ...] = ()
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a row has to satisfy, besides types and foreign keys."""

    name: str
    columns: tuple[str, ...]
    definition: str
    is_unique: bool = False


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as the server has it."""

    key: TableKey
    columns: Mapping[str, ColumnFacts]
    links: tuple[Link, ...]
    conditions: Mapping[str, Condition]
    """CHECK, UNIQUE and exclusion constraints by name, those of domains included."""
    primary_key: tuple[str, ...]

    def uniques(self) -> Iterator[frozenset[str]]:
        """Sets of columns that no two rows share the values of."""
        return (frozenset(item.columns) for item in self.conditions.values() if item.is_unique)


def read_catalog(connection: Connection) -> dict[TableKey, TableFacts]:
    """The tables of a database, without partitions and what belongs to extensions."""
    columns = _by_table(connection, _COLUMNS)
    constraints = _by_table(connection, _CONSTRAINTS)
    unique = _by_table(connection, _UNIQUE)
    domains = connection.execute(text(_DOMAINS)).mappings().all()
    return {
        key: _table(key, rows, constraints.get(key, ()), unique.get(key, ()), domains)
        for key, rows in columns.items()
    }


def _by_table(connection: Connection, sql: str) -> dict[TableKey, list[Mapping[str, Any]]]:
    found: dict[TableKey, list[Mapping[str, Any]]] = {}
    for row in connection.execute(text(sql)).mappings():
        found.setdefault((row["nspname"], row["relname"]), []).append(dict(row))
    return found


def _table(
    key: TableKey,
    columns: Sequence[Mapping[str, Any]],
    constraints: Sequence[Mapping[str, Any]],
    unique: Sequence[Mapping[str, Any]],
    domains: Sequence[Mapping[str, Any] | RowMapping],
) -> TableFacts:
    facts = {row["attname"]: _column(row) for row in columns}
    conditions = [
        Condition(row["conname"], tuple(row["columns"]), row["definition"])
        for row in constraints
        if _letter(row["contype"]) != "f"
    ]
    conditions += [
        Condition(row["conname"], tuple(row["columns"]), "", is_unique=True) for row in unique
    ]
    for row in domains:
        names = tuple(name for name, item in facts.items() if item.domain == row["domain"])
        conditions += [Condition(row["conname"], names, row["definition"])] if names else []
    return TableFacts(
        key=key,
        columns=facts,
        links=tuple(_link(row, facts) for row in constraints if _letter(row["contype"]) == "f"),
        conditions={item.name: item for item in conditions},
        primary_key=next((tuple(row["columns"]) for row in unique if row["indisprimary"]), ()),
    )


def _column(row: Mapping[str, Any]) -> ColumnFacts:
    return ColumnFacts(
        name=row["attname"],
        type_name=row["type_name"],
        base=row["base"],
        kind=_letter(row["kind"]),
        category=_letter(row["category"]),
        modifier=row["modifier"],
        is_nullable=not row["not_null"],
        default_sql=row["default_sql"],
        is_generated=row["is_generated"],
        is_identity=row["is_identity"],
        labels=tuple(row["labels"]),
        domain=row["domain"],
    )


def _link(row: Mapping[str, Any], columns: Mapping[str, ColumnFacts]) -> Link:
    return Link(
        columns=tuple(row["columns"]),
        parent=(row["parent_schema"], row["parent"]),
        parent_columns=tuple(row["parent_columns"]),
        is_nullable=any(columns[name].is_nullable for name in row["columns"]),
    )


def _letter(value: str | bytes) -> str:
    """PostgreSQL's one-byte type, which asyncpg hands out as bytes."""
    return value.decode() if isinstance(value, bytes) else value
