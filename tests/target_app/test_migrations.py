"""The migrations, up and down and on both databases, against the models.

Most tests come twice, with an empty PostgreSQL and with a file of SQLite. They are synchronous,
because Alembic runs a loop of its own.
"""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from harness.database.schema import run_apart
from target_app.db.startup import ALEMBIC_INI
from target_app.models import Base

Result = TypeVar("Result")

ROOT = ALEMBIC_INI.parents[1]
TABLES = {*Base.metadata.tables, "alembic_version"}
UNREACHABLE = "postgresql+asyncpg://user:hunter2@localhost:1/blog"


def _on(url: URL, work: Callable[[Connection], Result]) -> Result:
    """Do the work on a connection of its own, and commit."""
    results: list[Result] = []

    async def run() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            results.append(await connection.run_sync(work))

    run_apart(run())
    return results[0]


def _execute(url: URL, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    _on(url, work)


def _values(url: URL, query: str) -> list[object]:
    return _on(url, lambda connection: list(connection.scalars(text(query))))


def _tables(url: URL) -> set[str]:
    return _on(url, lambda connection: set(inspect(connection).get_table_names()))


def _config(url: URL, *, scripts: Path | None = None) -> Config:
    config = Config(ALEMBIC_INI, stdout=io.StringIO())
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False))
    if scripts is not None:
        config.set_main_option("script_location", str(scripts))
    return config


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database without tables; PostgreSQL's is emptied again after the test."""
    if request.param == "sqlite":
        yield URL.create("sqlite+aiosqlite", database=str(tmp_path / "shop.db"))
        return
    url: URL = request.getfixturevalue("empty_postgresql")
    yield url
    _execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


@pytest.fixture
def postgresql(empty_postgresql: URL) -> Iterator[URL]:
    yield empty_postgresql
    _execute(empty_postgresql, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def test_there_is_one_head() -> None:
    assert ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_heads() == ["0004"]


def test_the_head_has_the_tables_of_the_models_and_no_drift(database: URL) -> None:
    command.upgrade(_config(database), "head")

    assert _tables(database) == TABLES
    command.check(_config(database))


def test_a_drift_is_found(database: URL) -> None:
    command.upgrade(_config(database), "head")
    _execute(database, "DROP INDEX ix_products_category")

    with pytest.raises(CommandError, match="ix_products_category"):
        command.check(_config(database))


def test_base_is_empty_again_and_the_way_up_is_free(database: URL) -> None:
    command.upgrade(_config(database), "head")

    command.downgrade(_config(database), "base")

    assert _tables(database) == {"alembic_version"}
    command.upgrade(_config(database), "head")
    command.check(_config(database))


def test_no_enum_type_is_left_behind(postgresql: URL) -> None:
    types = "SELECT typname FROM pg_type WHERE typtype = 'e'"
    command.upgrade(_config(postgresql), "head")
    before = _values(postgresql, types)

    command.downgrade(_config(postgresql), "base")

    assert before == ["order_status"]
    assert _values(postgresql, types) == []


@pytest.mark.parametrize("branches", [["0002", "0003"], ["0003", "0002"]])
def test_either_branch_may_go_first_up_and_down(database: URL, branches: list[str]) -> None:
    config = _config(database)
    for revision in ["0001", *branches, "head"]:
        command.upgrade(config, revision)
    command.check(config)

    # Back to before the merge, then one branch alone.
    command.downgrade(config, branches[0])
    at = _values(database, "SELECT version_num FROM alembic_version ORDER BY version_num")
    command.downgrade(config, f"{branches[0]}@0001")
    left = _values(database, "SELECT version_num FROM alembic_version")

    assert at == ["0002", "0003"]
    assert left == [branches[1]]
    assert ("orders" in _tables(database)) == (branches[1] == "0003")
    assert ("todos" in _tables(database)) == (branches[1] == "0002")
    command.upgrade(config, "head")
    command.check(config)


def test_rows_of_the_first_revision_survive_the_way_up_and_back(database: URL) -> None:
    config = _config(database)
    command.upgrade(config, "0001")
    _execute(
        database,
        "INSERT INTO users (id, email, name, password_hash) VALUES (1, 'a@b.example', 'Ada', 'x')",
        "INSERT INTO posts (id, author_id, title, body) VALUES (1, 1, 'T', 'B')",
        "INSERT INTO tags (id, name) VALUES (1, 'notes')",
        "INSERT INTO post_tags (post_id, tag_id) VALUES (1, 1)",
        "INSERT INTO comments (id, post_id, author_id, body) VALUES (7, 1, 1, 'first')",
    )

    command.upgrade(config, "head")
    _execute(
        database,
        "INSERT INTO comments (id, post_id, author_id, parent_id, body) "
        "VALUES (8, 1, 1, 7, 'reply')",
    )
    parents = _values(database, "SELECT parent_id FROM comments ORDER BY id")
    command.downgrade(config, "0001")

    assert parents == [None, 7]
    assert _values(database, "SELECT body FROM comments ORDER BY id") == ["first", "reply"]
    assert _values(database, "SELECT count(*) FROM post_tags") == [1]


def test_an_autogenerated_migration_brings_an_old_database_to_the_models(
    database: URL, tmp_path: Path
) -> None:
    """With all but the first revision away, what they do has to be found from the models."""
    scripts = tmp_path / "migrations"
    shutil.copytree(ALEMBIC_INI.parent / "migrations", scripts)
    for later in ("0002*", "0003*", "0004*"):
        next((scripts / "versions").glob(later)).unlink()
    config = _config(database, scripts=scripts)
    command.upgrade(config, "head")

    command.revision(config, message="the rest", autogenerate=True, rev_id="0002")
    written = (scripts / "versions" / "0002_the_rest.py").read_text("utf-8")
    command.upgrade(config, "head")

    assert "batch_op.add_column(sa.Column('parent_id', sa.Integer(), nullable=True))" in written
    assert "op.create_table('orders'," in written
    assert "sa.Column('due_at', sa.DateTime(timezone=True), nullable=True)" in written
    assert "sa.Column('attributes', sa.JSON().with_variant(postgresql.JSONB()" in written
    assert "sa.text(" not in written  # the words of one database only, and it runs on both
    assert "target_app" not in written
    assert _tables(database) == TABLES
    command.check(config)


def test_the_repository_got_no_file_from_the_tests() -> None:
    revisions = sorted((ALEMBIC_INI.parent / "migrations" / "versions").glob("*.py"))

    assert [file.name[:4] for file in revisions] == ["0001", "0002", "0003", "0004"]


def _script(url: URL, *, revision: str) -> str:
    script = io.StringIO()
    config = Config(ALEMBIC_INI, output_buffer=script)
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False))
    run = command.downgrade if revision.endswith(":base") else command.upgrade
    run(config, revision, sql=True)
    return script.getvalue()


def _run_script(url: URL, script: str) -> None:
    async def run() -> None:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        await connection.execute(script)
        await connection.close()

    run_apart(run())


def test_the_written_script_makes_the_same_database_as_the_migrations(postgresql: URL) -> None:
    _run_script(postgresql, _script(postgresql, revision="head"))

    assert _tables(postgresql) == TABLES
    assert _values(postgresql, "SELECT version_num FROM alembic_version") == ["0004"]
    command.check(_config(postgresql))


def test_the_written_script_takes_everything_back(postgresql: URL) -> None:
    command.upgrade(_config(postgresql), "head")

    _run_script(postgresql, _script(postgresql, revision="head:base"))

    assert _tables(postgresql) == {"alembic_version"}
    command.upgrade(_config(postgresql), "head")


def test_a_script_for_sqlite_is_refused_before_its_first_line(tmp_path: Path) -> None:
    url = URL.create("sqlite+aiosqlite", database=str(tmp_path / "shop.db"))

    with pytest.raises(CommandError, match="SQLite has no --sql mode"):
        _script(url, revision="head")

    assert not (tmp_path / "shop.db").exists()


def _alembic(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", "target_app/alembic.ini", *arguments],
        cwd=ROOT,
        env={**os.environ, "TARGET_APP_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_line_upgrades_the_database_of_the_settings(database: URL) -> None:
    ended = _alembic("upgrade", "head", url=database.render_as_string(hide_password=False))

    assert ended.returncode == 0, ended.stderr
    assert _tables(database) == TABLES


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://user:hunter2@localhost/blog", "names 'mysql'"),
        (UNREACHABLE, "cannot reach the database postgresql+asyncpg://user:***@localhost:1/blog"),
        ("sqlite+aiosqlite:////no/such/folder/shop.db", "there is no folder /no/such/folder"),
    ],
)
def test_the_command_line_says_what_is_wrong_in_a_line(url: str, words: str) -> None:
    ended = _alembic("upgrade", "head", url=url)

    assert ended.returncode != 0
    assert words in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
