"""Every type gets a value that it takes, from the first row to the hundredth."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Enum,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    select,
)

from harness.database.populate import Models
from tests.database.populate.conftest import Fill

pytestmark = pytest.mark.database("empty")

_TYPES = """
smallint; integer; bigint; numeric; numeric(3,2); numeric(10,2); numeric(2,0); real;
double precision; money; boolean; text; varchar; varchar(1); varchar(7); char(1); char(2);
"char"; bytea; bit(3); bit varying(5); date; time; timetz; timestamp; timestamptz; interval;
uuid; json; jsonb; inet; cidr; macaddr; macaddr8; point; line; lseg; box; path; polygon;
circle; tsvector; tsquery; int4range; int8range; numrange; tsrange; tstzrange; daterange;
int4multirange; datemultirange; integer[]; text[]; uuid[]; integer[][]; pg_lsn; oid; name
"""


async def test_every_built_in_type_is_filled(fill: Fill) -> None:
    names = [name.strip() for name in _TYPES.replace("\n", " ").split(";")]
    columns = ", ".join(f"c{number} {name} NOT NULL" for number, name in enumerate(names))

    filling = await fill(f"CREATE TABLE everything ({columns})", sizes=(30,))

    assert filling.problems == {}
    assert await filling.column("SELECT count(*) FROM everything") == [30]


@pytest.mark.parametrize(
    "type_",
    [
        "smallint",
        "numeric(3,2)",
        "varchar(3)",
        "char(2)",
        "text",
        "date",
        "timestamptz",
        "uuid",
        "bytea",
        "inet",
        "int4range",
        "numeric(4,4)",
    ],
)
async def test_what_is_unique_is_different_in_every_row(fill: Fill, type_: str) -> None:
    filling = await fill(f"CREATE TABLE t (it {type_} NOT NULL UNIQUE)", sizes=(100,))

    assert filling.problems == {}
    assert await filling.column("SELECT count(DISTINCT it) FROM t") == [100]


async def test_an_enum_takes_its_labels_in_turn(fill: Fill) -> None:
    filling = await fill(
        "CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');"
        "CREATE TABLE people (it mood NOT NULL)"
    )

    found = await filling.column("SELECT it::text FROM people")
    assert found == ["sad", "it's ok", "happy"]


async def test_an_enum_that_is_stored_as_text_takes_what_the_model_stores(
    fill: Fill, metadata: MetaData
) -> None:
    class Size(enum.Enum):
        SMALL = "s"
        LARGE = "l"

    Table("shirts", metadata, Column("size", Enum(Size, native_enum=False), nullable=False))

    filling = await fill(metadata, sizes=(2,))

    assert await filling.column("SELECT size FROM shirts") == ["SMALL", "LARGE"]


async def test_a_domain_gets_a_value_that_it_takes(fill: Fill) -> None:
    filling = await fill(
        "CREATE DOMAIN percent AS integer NOT NULL CHECK (VALUE BETWEEN 90 AND 100);"
        "CREATE DOMAIN code AS varchar(4) CHECK (VALUE ~ '^[A-Z]+$');"
        "CREATE TABLE t (share percent, code code NOT NULL)"
    )

    assert filling.problems == {}
    assert await filling.column("SELECT count(*) FROM t") == [3]


async def test_generated_columns_identities_and_defaults_are_left_to_the_server(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " price integer NOT NULL, twice integer GENERATED ALWAYS AS (price * 2) STORED,"
        " state text NOT NULL DEFAULT 'new')"
    )

    rows = await filling.rows("SELECT id, price * 2 = twice AS is_twice, state FROM t")
    assert rows[0] == {"id": 1, "is_twice": True, "state": "new"}
    assert len(rows) == 3


async def test_a_default_that_would_collide_is_replaced(fill: Fill) -> None:
    filling = await fill("CREATE TABLE t (slug text NOT NULL DEFAULT '' UNIQUE)")

    assert filling.problems == {}


async def test_a_table_of_nothing_but_defaults_is_filled(fill: Fill) -> None:
    filling = await fill("CREATE TABLE t (id serial PRIMARY KEY)")

    assert await filling.column("SELECT id FROM t") == [1, 2, 3]


async def test_a_default_of_the_model_is_computed_by_the_model(
    fill: Fill, metadata: MetaData
) -> None:
    Table(
        "t",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("state", String, default="draft", nullable=False),
        Column("copy", String, default=lambda context: context.get_current_parameters()["state"]),
    )

    filling = await fill(metadata)

    assert await filling.rows("SELECT DISTINCT state, copy FROM t") == [
        {"state": "draft", "copy": "draft"}
    ]


async def test_a_default_that_cannot_be_computed_here_is_done_without(
    fill: Fill, metadata: MetaData
) -> None:
    def tenant_of_the_request() -> str:
        raise LookupError("no request")

    Table(
        "t",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("tenant", String, default=tenant_of_the_request, nullable=False),
    )

    filling = await fill(metadata)

    assert filling.problems == {}


class _Utc(TypeDecorator[datetime]):
    """Refuses what has no time zone, as careful applications do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError("no time zone")
        return value


class _Priority(enum.IntEnum):
    LOW = 10
    HIGH = 20


class _PriorityType(TypeDecorator[_Priority]):
    """Stores an enum's number."""

    impl = Integer
    cache_ok = True

    def __init__(self) -> None:
        super().__init__()
        self.members = _Priority

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return self.members(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return self.members(value)


class _Reversed(TypeDecorator[str]):
    """As an encryption is: what was not written by the type cannot be read by it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return "secret:" + value[::-1]

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        if not value.startswith("secret:"):
            raise ValueError("not written by this type")
        return value.removeprefix("secret:")[::-1]


class _Loud(TypeDecorator[str]):
    """Writes what it could not read."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        if not value.isupper():
            raise ValueError("too quiet")
        return value


@pytest.mark.parametrize("type_", [_Utc(), _PriorityType(), _Reversed(), _Loud()], ids=type)
async def test_what_a_type_of_the_application_reads_it_has_written(
    fill: Fill, metadata: MetaData, type_: TypeDecorator[Any]
) -> None:
    table = Table("t", metadata, Column("it", type_, nullable=False))

    filling = await fill(metadata)

    assert filling.problems == {}
    assert len((await filling.session.execute(select(table))).all()) == 3


async def test_what_says_that_a_row_is_gone_is_left_empty(fill: Fill) -> None:
    filling = await fill(
        "CREATE TABLE t (deleted_at timestamptz, is_archived boolean NOT NULL,"
        " published_at timestamptz, is_active boolean NOT NULL, extra jsonb)"
    )

    assert await filling.rows(
        "SELECT DISTINCT deleted_at, is_archived, is_active, extra FROM t"
    ) == [{"deleted_at": None, "is_archived": False, "is_active": True, "extra": None}]
    assert await filling.column("SELECT count(published_at) FROM t") == [3]


async def test_addresses_and_links_look_like_some(fill: Fill) -> None:
    filling = await fill("CREATE TABLE t (email text NOT NULL, avatar_url text NOT NULL)")

    assert await filling.rows("SELECT * FROM t LIMIT 1") == [
        {"email": "user1@example.com", "avatar_url": "https://example.com/1"}
    ]


async def test_a_table_in_a_schema_that_is_translated_has_its_model(
    fill: Fill, metadata: MetaData
) -> None:
    Table("t", metadata, Column("it", _Reversed(), nullable=False))

    filling = await fill(
        "CREATE SCHEMA tenant; CREATE TABLE tenant.t (it text NOT NULL)",
        models=Models.of(metadata),
    )

    assert await filling.column("SELECT DISTINCT left(it, 7) FROM tenant.t") == ["secret:"]
