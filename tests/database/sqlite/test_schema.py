"""Tables and rows in a file, through whichever driver there is."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import ARRAY, URL, Column, Integer, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from harness.checkup.rows import rows_probe
from harness.database.schema import create_tables, write_rows
from harness.database.sqlite.driver import require_aiosqlite
from harness.errors import ConfigurationError, MissingExtraError
from harness.findings import Verdict


@pytest.fixture
def url(tmp_path: Path) -> URL:
    """An empty file."""
    return URL.create("sqlite+aiosqlite", database=str(tmp_path / "shop.db"))


def notes(url: URL) -> list[str]:
    with closing(sqlite3.connect(url.database or "")) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM notes ORDER BY body")]


def with_a_table(url: URL) -> URL:
    metadata = MetaData()
    Table("notes", metadata, Column("body", Text, primary_key=True))
    create_tables(url, metadata)
    return url


def test_tables_and_rows_are_made_without_aiosqlite(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiosqlite", None)

    def populate(session: Session) -> None:
        session.execute(text("INSERT INTO notes VALUES ('ada')"))

    write_rows(with_a_table(url), populate)

    assert notes(url) == ["ada"]


def test_rows_may_be_written_by_a_coroutine(url: URL) -> None:
    async def populate(session: AsyncSession) -> None:
        await session.execute(text("INSERT INTO notes VALUES ('ada')"))

    write_rows(with_a_table(url), populate)

    assert notes(url) == ["ada"]


def test_rows_of_a_function_that_raises_are_not_kept(url: URL) -> None:
    def populate(session: Session) -> None:
        session.execute(text("INSERT INTO notes VALUES ('ada')"))
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_rows(with_a_table(url), populate)

    assert notes(url) == []


def test_a_type_that_sqlite_does_not_have_is_named(url: URL) -> None:
    metadata = MetaData()
    Table("tags", metadata, Column("names", ARRAY(Integer)))

    with pytest.raises(ConfigurationError, match=r"SQLite cannot have these tables: .*ARRAY"):
        create_tables(url, metadata)


def test_what_needs_aiosqlite_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosqlite", None)

    with pytest.raises(MissingExtraError, match="'engine' and 'db_session' work on SQLite"):
        require_aiosqlite(why="'engine' and 'db_session' work")


def test_where_aiosqlite_is_nothing_is_said() -> None:
    require_aiosqlite(why="'engine' and 'db_session' work")


def test_a_checkup_counts_the_tables_that_have_rows(url: URL) -> None:
    without = rows_probe(url)
    empty = rows_probe(with_a_table(url))
    with closing(sqlite3.connect(url.database or "")) as connection:
        connection.execute("INSERT INTO notes VALUES ('ada')")
        connection.commit()
    filled = rows_probe(url)

    assert [probe.verdict for probe in (without, empty)] == [Verdict.WARN, Verdict.WARN]
    assert (filled.verdict, filled.summary) == (Verdict.PASS, "1 of 1 tables have rows")
