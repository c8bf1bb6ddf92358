"""Tables without a row are noticed as the application is served; one row anywhere is enough."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, text

from harness.database.schema import committed
from harness.rig.client import Rig
from harness.rig.emptiness import empty_tables
from tests.rig.projects import posted


def test_tables_are_counted_until_one_has_a_row_and_not_in_a_copy_that_is_to_be_filled(
    rig: Rig,
) -> None:
    copied = rig.serve(is_scratch=True).empty_tables
    serving = rig.serve()
    posted(serving)

    assert (copied, serving.empty_tables) == (0, 1)
    assert rig.serve().empty_tables == 0


def made(folder: Path, *statements: str) -> URL:
    """A file of SQLite on which these were executed."""

    def execute(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    url = URL.create("sqlite+aiosqlite", database=str(folder / "shop.db"))
    committed(url, execute)
    return url


@pytest.mark.parametrize(
    ("statements", "empty"),
    [
        ((), 0),
        (('CREATE TABLE "a:b" (id INTEGER)', "CREATE TABLE notes (id INTEGER)"), 2),
        (("CREATE TABLE notes (id INTEGER)", 'CREATE TABLE "a""b" AS SELECT 1 AS id'), 0),
        (("CREATE TABLE notes (id INTEGER)", "CREATE TABLE alembic_version AS SELECT 'x' v"), 1),
    ],
    ids=["no table", "odd names", "one row in the last", "migrated"],
)
def test_what_migrations_keep_for_themselves_is_no_row(
    tmp_path: Path, statements: tuple[str, ...], empty: int
) -> None:
    assert empty_tables(made(tmp_path, *statements)) == empty


def test_an_application_that_blocks_needs_no_aiosqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiosqlite", None)

    assert empty_tables(made(tmp_path, "CREATE TABLE notes (id INTEGER)")) == 1


def test_a_database_that_nobody_can_read_is_not_called_empty(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    file.write_bytes(b"no file of SQLite" * 100)

    assert empty_tables(URL.create("sqlite+aiosqlite", database=str(file))) == 0
