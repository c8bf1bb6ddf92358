"""A copy of a file that is in use: consistent, or an error in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.database.sqlite.backup import back_up


@pytest.fixture
def source(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Connected to a file with one note."""
    with closing(sqlite3.connect(tmp_path / "old.db", timeout=0)) as connection:
        connection.executescript("CREATE TABLE notes (body); INSERT INTO notes VALUES ('ada')")
        yield connection


def notes(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM notes")]


def test_what_others_have_not_committed_is_not_in_it(
    source: sqlite3.Connection, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as writer:
        writer.execute("INSERT INTO notes VALUES ('open')")

        back_up(source, tmp_path / "new.db")

    assert notes(tmp_path / "new.db") == ["ada"]


def test_an_older_one_is_replaced(source: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "new.db").write_text("no database")

    back_up(source, tmp_path / "new.db")

    assert notes(tmp_path / "new.db") == ["ada"]


def test_nobody_waits_for_ever_for_a_locked_file(
    source: sqlite3.Connection, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")

        with pytest.raises(sqlite3.OperationalError, match=r"locked for 0\.05 s"):
            back_up(source, tmp_path / "new.db", wait_seconds=0.05)
