"""What a project asks of its PostgreSQL, read from the text of its migrations or models."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import load_project
from harness.provision import created_extensions


def extensions_of(root: Path, table: str) -> frozenset[str]:
    (root / "pyproject.toml").write_text(f"[tool.harness]\n{table}\n")
    return created_extensions(load_project(root))


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('op.execute("CREATE EXTENSION citext")', {"citext"}),
        ('op.execute("create extension if not exists pg_trgm;")', {"pg_trgm"}),
        ("""op.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')""", {"uuid-ossp"}),
        ('op.execute("CREATE EXTENSION \\"uuid-ossp\\"")', {"uuid-ossp"}),
        ("op.execute('''\n  CREATE EXTENSION\n  hstore WITH SCHEMA public''')", {"hstore"}),
        ('# op.execute("CREATE EXTENSION citext")', set()),
        ('op.execute("DROP EXTENSION citext")', set()),
        ('"""Create extensions by hand."""', set()),
    ],
)
def test_an_extension_is_found_in_a_migration(
    tmp_path: Path, line: str, expected: set[str]
) -> None:
    write(tmp_path, "alembic.ini", "[alembic]\nscript_location = %(here)s/migrations\n")
    write(tmp_path, "migrations/versions/0001_first.py", f"def upgrade():\n    {line}\n")

    assert extensions_of(tmp_path, 'alembic = "alembic.ini"') == expected


@pytest.mark.parametrize("location", ["db/migrations", "%(here)s/migrations", "db:migrations"])
def test_the_migrations_are_found_where_alembic_finds_them(tmp_path: Path, location: str) -> None:
    write(tmp_path, "db/alembic.ini", f"[alembic]\nscript_location = {location}\n")
    write(tmp_path, "db/migrations/versions/0001.py", '"CREATE EXTENSION citext"')

    assert extensions_of(tmp_path, 'alembic = "db/alembic.ini"') == {"citext"}


def test_a_migration_in_sql_counts(tmp_path: Path) -> None:
    write(tmp_path, "alembic.ini", "[alembic]\nscript_location = migrations\n")
    write(tmp_path, "migrations/versions/first.sql", "CREATE EXTENSION postgis;")

    assert extensions_of(tmp_path, 'alembic = "alembic.ini"') == {"postgis"}


def test_the_package_of_the_metadata_is_read_where_there_are_no_migrations(tmp_path: Path) -> None:
    write(tmp_path, "shop/models/tables.py", 'DDL("CREATE EXTENSION citext")')
    write(tmp_path, "elsewhere/tables.py", 'DDL("CREATE EXTENSION hstore")')

    assert extensions_of(tmp_path, 'metadata = "shop.models:Base"') == {"citext"}


def test_beside_a_single_module_only_its_neighbours_are_read(tmp_path: Path) -> None:
    write(tmp_path, "models.py", 'DDL("CREATE EXTENSION citext")')
    write(tmp_path, ".venv/package/models.py", 'DDL("CREATE EXTENSION hstore")')

    assert extensions_of(tmp_path, 'metadata = "models:Base"') == {"citext"}


@pytest.mark.parametrize(
    "ini", ["", "[alembic]\n", "no ini at all", "[alembic]\nscript_location = %(nothing)s"]
)
def test_a_file_that_alembic_will_complain_about_asks_for_nothing(tmp_path: Path, ini: str) -> None:
    write(tmp_path, "alembic.ini", ini)

    assert extensions_of(tmp_path, 'alembic = "alembic.ini"') == frozenset()


def test_a_project_without_a_schema_asks_for_nothing(tmp_path: Path) -> None:
    assert extensions_of(tmp_path, 'app = "shop.main:app"') == frozenset()
