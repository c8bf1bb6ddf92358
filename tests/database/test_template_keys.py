"""What makes a template outdated, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import DDL, Column, Enum, Integer, MetaData, Table, event, text

from harness.database.clones.keys import (
    content_of,
    ddl_of,
    imported_files,
    key_of,
    migration_files,
)

FILES = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
    "migrations/env.py": "from shop.models import Base\n",
    "migrations/versions/one.py": "from shop.types import Money\nfrom os import path\n",
    "migrations/versions/data.sql": "INSERT",
    "shop/__init__.py": "",
    "shop/types.py": "from . import money\nMoney = money.Money\n",
    "shop/money.py": "class Money: ...\n",
    "shop/models.py": "class Base: ...\n",
    "shop/rows.py": "import shop.names as names\ndef populate(session): ...\n",
    "shop/names.py": "NAMES = []\n",
    "src/lib.py": "",
    "README.md": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def key_of_migrations(root: Path) -> str | None:
    files = migration_files(root / "alembic.ini", root)
    return None if files is None else key_of(content_of(files))


def key_of_rows(root: Path) -> str:
    return key_of(content_of(imported_files([root / "shop/rows.py"], root)))


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        (
            key_of_migrations,
            {
                "alembic.ini",
                "migrations/env.py",
                "migrations/versions/one.py",
                "migrations/versions/data.sql",
                "shop/__init__.py",
                "shop/types.py",
                "shop/money.py",
            },
        ),
        (key_of_rows, {"shop/__init__.py", "shop/rows.py", "shop/names.py"}),
    ],
)
def test_the_files_that_count(
    root: Path, key: Callable[[Path], str | None], changes: set[str]
) -> None:
    before, found = key(root), set()
    for name, content in FILES.items():
        (root / name).write_text(f"{content}\n# changed\n")
        if key(root) != before:
            found.add(name)
        (root / name).write_text(content)

    assert found == changes
    assert key(root) == before


def test_a_new_revision_counts(root: Path) -> None:
    before = key_of_migrations(root)

    (root / "migrations/versions/two.py").write_text("")

    assert key_of_migrations(root) != before


@pytest.mark.parametrize(
    "location", ["migrations", "%(here)s/migrations", "shop:../migrations"], ids=str
)
def test_scripts_are_found_where_alembic_finds_them(
    root: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.syspath_prepend(root)
    (root / "alembic.ini").write_text(f"[alembic]\nscript_location = {location}\n")

    files = migration_files(root / "alembic.ini", root)

    assert files is not None
    assert (root / "migrations/versions/one.py").resolve() in {file.resolve() for file in files}


def test_further_folders_of_revisions_count(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more/three.py").write_text("")
    (root / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nversion_locations = migrations/versions more\n"
    )

    assert root / "more/three.py" in (migration_files(root / "alembic.ini", root) or ())


@pytest.mark.parametrize(
    "ini",
    ["[alembic]\n", "[alembic]\nscript_location = elsewhere\n", "nonsense", ""],
    ids=["no location", "no such folder", "not an ini", "empty"],
)
def test_scripts_that_are_not_found_have_no_key(root: Path, ini: str) -> None:
    (root / "alembic.ini").write_text(ini)

    assert migration_files(root / "alembic.ini", root) is None


def test_a_file_that_does_not_parse_is_left_to_whoever_imports_it(root: Path) -> None:
    (root / "shop/rows.py").write_text("def populate(:\n")

    assert imported_files([root / "shop/rows.py"], root) == {(root / "shop/rows.py").resolve()}


def test_parts_do_not_run_into_each_other() -> None:
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])


def tables(*names: str) -> MetaData:
    metadata = MetaData()
    kind = Enum("small", "large", name="size")
    for name in names:
        Table(name, metadata, Column("id", Integer, primary_key=True), Column("size", kind))
    return metadata


def test_the_statements_of_a_metadata_are_those_of_create_all() -> None:
    metadata = tables("item")
    extension = DDL("CREATE EXTENSION hstore")  # type: ignore[no-untyped-call] # SQLAlchemy's
    event.listen(metadata, "after_create", extension)

    statements = ddl_of(metadata) or ""

    assert ddl_of(tables("item")) == ddl_of(tables("item"))
    assert ddl_of(tables("item", "other")) != ddl_of(tables("item"))
    for part in ("CREATE TYPE size", "CREATE TABLE item", "CREATE EXTENSION hstore"):
        assert part in statements


def test_a_metadata_whose_listener_asks_the_database_has_no_key() -> None:
    metadata = tables("item")

    @event.listens_for(metadata, "before_create")
    def ask(_target: MetaData, connection: Any, **_options: object) -> None:  # noqa: ANN401
        connection.execute(text("SELECT 1")).one()

    assert ddl_of(metadata) is None
