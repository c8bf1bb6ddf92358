"""What is kept of bind values: enough to compare them, nothing to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Engine,
    MetaData,
    String,
    Table,
    column,
    insert,
    literal,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from harness.capture import RoundTrip, SourceMap, recording
from harness.capture.binds import BindKeys, roles_in_text, roles_of
from harness.capture.fingerprint import fingerprint
from harness.pytest_plugin.queries import Queries
from target_app.models import Post, Tag, User

Work = Callable[[Session], object]
Run = Callable[..., list[RoundTrip]]


@pytest.fixture
def run(blog: Engine, source: SourceMap) -> Run:
    """The round trips of some works, one after the other in one session."""

    def recorded(*works: Work) -> list[RoundTrip]:
        with recording(source) as recorder, Session(blog) as session:
            for work in works:
                work(session)
        return list(recorder.snapshot().round_trips)

    return recorded


def _text(sql: str, **values: object) -> Work:
    return lambda session: session.execute(text(sql), values).all()


def _driver(sql: str) -> Work:
    return lambda session: session.connection().exec_driver_sql(sql).all()


@pytest.mark.parametrize("how", [_text, _driver])
def test_literals_of_raw_sql_count_as_values(run: Run, how: Callable[[str], Work]) -> None:
    one, two, again = run(how("SELECT 'a'"), how("SELECT 'b'"), how("SELECT 'a'"))

    assert one.fingerprint == two.fingerprint
    assert one.parameters_key == again.parameters_key != two.parameters_key


def test_values_that_cannot_be_hashed_are_compared_all_the_same() -> None:
    keys = BindKeys()

    assert keys.of(([1, 2], {"a": 1})) == keys.of(([1, 2], {"a": 1})) != keys.of(([1, 3], {}))


def test_other_secrets_make_other_keys() -> None:
    assert BindKeys().of((1,)) != BindKeys().of((1,))


def test_the_secrets_are_not_shown() -> None:
    keys = BindKeys()

    assert str(keys.salt) not in repr(keys)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (-1, 7),
        (0.5, 1.5),
        (Decimal("1.1"), Decimal("1.2")),
        (date(2024, 1, 2), date(2024, 1, 3)),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)),
        (UUID(int=1), UUID(int=2)),
        ("anna", "berta"),
    ],
)
def test_the_keys_of_a_range_are_ordered_as_the_values_are(less: object, more: object) -> None:
    keys = BindKeys()

    first, second = keys.of_range(less), keys.of_range(more)

    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize("value", [None, True, b"x", float("nan"), [1]])
def test_values_without_a_known_order_have_no_key_of_a_range(value: object) -> None:
    assert BindKeys().of_range(value) is None


def test_a_page_is_known_by_limit_and_offset(run: Run) -> None:
    (trip,) = run(lambda s: s.scalars(select(User).where(User.id > 0).limit(2).offset(4)).all())

    assert (trip.limit, trip.offset, trip.is_limited) == (2, 4, True)


def test_a_page_of_raw_sql_is_known_too(run: Run) -> None:
    literal_page, bound = run(
        _text("SELECT id FROM users LIMIT 2 OFFSET 4"),
        _text("SELECT id FROM users LIMIT :size OFFSET :start", size=2, start=4),
    )

    assert (literal_page.limit, literal_page.offset) == (bound.limit, bound.offset) == (2, 4)


@pytest.mark.parametrize(
    ("sql", "is_limited"),
    [
        ("SELECT a FROM b LIMIT 1", True),
        ("SELECT a FROM b FETCH FIRST 3 ROWS ONLY", True),
        ("SELECT a FROM b ORDER BY a OFFSET ? ROWS FETCH FIRST ? ROWS ONLY", True),
        ("SELECT a FROM b ORDER BY a OFFSET ? ROWS", False),
        ("SELECT a FROM (SELECT a FROM b LIMIT 1) AS c", False),
        ('SELECT "LIMIT" FROM b', False),
        ("SELECT a FROM b", False),
    ],
)
def test_only_the_statements_own_limit_bounds_it(sql: str, is_limited: bool) -> None:
    assert fingerprint(sql, is_compiled=True).is_limited is is_limited


@pytest.mark.parametrize("backend", ["mysql", "mssql", "oracle", "postgresql"])
def test_pages_are_limited_on_other_servers_and_an_offset_alone_is_not(backend: str) -> None:
    dialect = make_url(f"{backend}://").get_dialect()()
    users = select(User.id).order_by(User.id)
    few, page, rest = users.distinct().limit(2), users.limit(2).offset(4), users.offset(4)

    texts = [query.compile(dialect=dialect).string for query in (few, page, rest)]

    assert [fingerprint(sql, is_compiled=True).is_limited for sql in texts] == [True, True, False]


def test_an_offset_alone_is_no_page_on_sqlite(run: Run) -> None:
    (trip,) = run(lambda s: s.scalars(select(User).order_by(User.id).offset(1)).all())

    assert (trip.offset, trip.is_limited) == (1, False)


def test_the_limit_of_a_query_inside_is_not_the_statements_own(run: Run) -> None:
    newest = select(Post.id).limit(1).scalar_subquery()

    (trip,) = run(lambda s: s.execute(select(User.id, newest)).all())

    assert not trip.is_limited


def test_mysql_names_the_offset_before_the_limit() -> None:
    page = select(User.id).where(User.id > 1).order_by(User.id).limit(2).offset(4)
    compiled = page.compile(dialect=mysql.dialect())

    roles = roles_of(compiled)

    assert [compiled.params[name] for name in (roles.limit, roles.offset) if name] == [2, 4]
    assert roles_in_text("SELECT id FROM users LIMIT 4, 2") == (2, 4)


def test_a_walk_by_key_goes_one_way(run: Run) -> None:
    trips = run(
        *(
            lambda s, last=last: s.scalars(
                select(User).where(User.id > last).order_by(User.id).limit(1)
            ).all()
            for last in (0, 1, 2)
        )
    )

    keys = [trip.range_keys[0] for trip in trips]
    assert keys == sorted(set(keys))


def test_chunks_of_keys_overlap_where_their_lists_do(run: Run) -> None:
    def of(*ids: int) -> Work:
        return lambda s: s.scalars(select(User).where(User.id.in_(ids))).all()

    first, apart, overlapping = run(of(1, 2, 3), of(4, 5), of(3, 4))

    assert (first.in_size, apart.in_size) == (3, 2)
    assert set(first.in_keys).isdisjoint(apart.in_keys)
    assert not set(first.in_keys).isdisjoint(overlapping.in_keys)


def test_long_lists_keep_a_sample_that_still_tells_overlap() -> None:
    keys = BindKeys()

    first, same = keys.of_list(range(500)), keys.of_list([*reversed(range(500))])

    assert len(first) <= 16
    assert first == same


def test_rows_of_values_are_counted_however_they_are_sent(run: Run) -> None:
    rows = [{"name": f"t{n}"} for n in range(3)]
    trips = run(
        lambda s: s.execute(insert(Tag), rows),
        lambda s: s.execute(insert(Tag).values([{"name": "x"}, {"name": "y"}])),
        lambda s: s.execute(insert(Tag).values(name="z")),
    )

    assert [trip.parameter_sets for trip in trips] == [3, 2, 1]


def test_tenants_by_schema_translation_are_told_apart(run: Run) -> None:
    table = Table("users", MetaData(), schema="tenant")
    statement = select(column("id", String)).select_from(table)

    def of(options: dict[str, Any]) -> Work:
        return lambda s: s.execute(statement, execution_options=options).all()

    main, again = ({"schema_translate_map": {"tenant": "main"}} for _ in range(2))
    one, same, none = run(of(main), of(again), lambda s: s.execute(select(literal(1))).all())

    assert one.tenant_key == same.tenant_key != 0
    assert none.tenant_key == 0


async def test_tenants_by_search_path_are_told_apart(
    db_session: AsyncSession, queries: Queries
) -> None:
    await db_session.execute(text("SELECT 1"))
    for path in ("one", "two"):
        await db_session.execute(text(f"SET LOCAL search_path TO {path}, public"))
        await db_session.execute(text("SELECT 1"))

    keys = [
        trip.tenant_key for trip in queries.statements if "search_path" not in trip.fingerprint.text
    ]
    assert len(set(keys)) == 3


async def test_binds_are_found_in_the_sql_of_every_driver(
    db_session: AsyncSession, queries: Queries
) -> None:
    await db_session.scalars(
        select(Post).where(Post.id.in_([1, 2]), Post.id > 0).limit(3).offset(1)
    )

    (trip,) = queries.statements
    assert (trip.limit, trip.offset, trip.in_size, len(trip.range_keys)) == (3, 1, 2, 1)


def test_a_streamed_result_is_marked(run: Run) -> None:
    statement = select(User).execution_options(yield_per=1)

    (trip,) = run(lambda s: s.scalars(statement).all())

    assert trip.is_streamed
