"""`python -m target_app.db` and `python -m target_app`, in processes, by exit code and words."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx
import pytest
from sqlalchemy import URL

import target_app
from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from target_app.db.commands import _Progress

ROOT = Path(target_app.__file__).parents[1]
READY = re.compile(r"Uvicorn running on (http://\S+)")


def _environment(url: URL | str, *, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    settings = {"TARGET_APP_DATABASE_URL": shown} if shown else {}
    kept = {key: value for key, value in outer.items() if not key.startswith("TARGET_APP_")}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


def _run(
    *arguments: str, url: URL | str, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in a folder without `.env`."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**_environment(url), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _unreachable() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"postgresql+asyncpg://user:hunter2@127.0.0.1:{listener.getsockname()[1]}/blog"


@pytest.fixture(params=["postgresql", "sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database without tables."""
    if request.param == "sqlite":
        yield URL.create("sqlite+aiosqlite", database=str(tmp_path / "shop.db"))
        return
    url: URL = request.getfixturevalue("empty_postgresql")
    server: PostgresServer = request.getfixturevalue("harness_postgres")
    yield url
    emptied = ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"]
    run_admin(server.address, emptied, database=str(url.database))


def test_create_seed_and_verify_follow_each_other(empty_url: URL, tmp_path: Path) -> None:
    create = _run("target_app.db", "create", url=empty_url, folder=tmp_path)
    again = _run("target_app.db", "create", url=empty_url, folder=tmp_path)
    seed = _run("target_app.db", "seed", "--rows", "3", url=empty_url, folder=tmp_path)
    verify = _run("target_app.db", "verify", url=empty_url, folder=tmp_path)

    ended = [create, again, seed, verify]
    assert [run.returncode for run in ended] == [0, 0, 0, 0], [run.stderr for run in ended]
    assert create.stdout.startswith("created the tables in ")
    assert again.stdout.startswith("nothing to do: ")
    assert seed.stdout.startswith("wrote 3 or more rows into each table of ")
    assert re.fullmatch(
        r"server    (postgresql|sqlite) \d+\.\d.*\n"
        r"driver    (asyncpg|aiosqlite) \d+\.\d+.*\n"
        r"database  (postgresql|sqlite)\+.*\n"
        r"revision  0004, as the code expects\n",
        verify.stdout,
    )
    assert "".join(run.stderr for run in ended) == ""
    if empty_url.password:
        assert empty_url.password not in verify.stdout


def test_migrated_tables_are_left_alone_by_create(database_file: Path, tmp_path: Path) -> None:
    ended = _run(
        "target_app.db", "create", url=f"sqlite+aiosqlite:///{database_file}", folder=tmp_path
    )

    assert (ended.returncode, ended.stdout[:14]) == (0, "nothing to do:")


def test_create_refuses_tables_of_unknown_origin(
    empty_url: URL, tmp_path: Path, harness_postgres: PostgresServer
) -> None:
    _sql(empty_url, "CREATE TABLE notes (id INTEGER)", server=harness_postgres)

    ended = _run("target_app.db", "create", url=empty_url, folder=tmp_path)

    assert ended.returncode == 1
    assert "the database has tables and no revision (notes); use an empty one" in ended.stderr


def test_an_older_revision_is_refused_by_create_and_verify(
    empty_url: URL, tmp_path: Path, harness_postgres: PostgresServer
) -> None:
    _run("target_app.db", "create", url=empty_url, folder=tmp_path)
    _sql(empty_url, "UPDATE alembic_version SET version_num = '0002'", server=harness_postgres)

    create = _run("target_app.db", "create", url=empty_url, folder=tmp_path)
    verify = _run("target_app.db", "verify", url=empty_url, folder=tmp_path)

    assert (create.returncode, verify.returncode) == (1, 1)
    assert "alembic -c target_app/alembic.ini upgrade head" in create.stderr
    assert "revision  0002, not 0004\n" in verify.stdout
    assert "the code expects 0004; run: alembic" in verify.stderr


def _sql(url: URL, statement: str, *, server: PostgresServer) -> None:
    if url.get_backend_name() == "postgresql":
        run_admin(server.address, [statement], database=str(url.database))
        return
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
    subprocess.run([sys.executable, "-c", program, str(url.database), statement], check=True)


def test_seed_refuses_a_database_that_has_rows(database_file: Path, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{database_file}"
    _run("target_app.db", "seed", url=url, folder=tmp_path)

    ended = _run("target_app.db", "seed", url=url, folder=tmp_path)

    assert ended.returncode == 1
    assert re.search(r"the table \w+ has rows already; use an empty database\n$", ended.stderr)


def test_seed_refuses_a_database_without_tables(empty_url: URL, tmp_path: Path) -> None:
    if empty_url.get_backend_name() == "sqlite":
        Path(str(empty_url.database)).touch()

    ended = _run("target_app.db", "seed", url=empty_url, folder=tmp_path)

    assert ended.returncode == 1
    assert "is not migrated: it is at no revision, the code expects 0004" in ended.stderr


@pytest.mark.parametrize("command", ["create", "seed"])
def test_production_is_refused_before_anything_is_opened(command: str, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/shop.db"

    ended = _run(
        "target_app.db", command, url=url, folder=tmp_path, TARGET_APP_ENVIRONMENT="production"
    )

    assert ended.returncode == 1
    assert f"{command} is for development" in ended.stderr
    assert not (tmp_path / "shop.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["target_app.db", "verify"], 1),
        (["target_app.db", "create"], 1),
        (["target_app.db", "seed"], 1),
        (["target_app", "--port", "0"], 3),
    ],
)
def test_an_unreachable_database_is_one_line_without_its_password(
    arguments: list[str], code: int, tmp_path: Path
) -> None:
    ended = _run(*arguments, url=_unreachable(), folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert "cannot reach the database postgresql+asyncpg://user:***@127.0.0.1" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    ("query", "words"), [("?colour=red", "unexpected keyword argument 'colour'"), ("x", "does not")]
)
def test_a_wrong_name_or_option_in_the_url_is_one_line(
    query: str, words: str, empty_postgresql: URL, tmp_path: Path
) -> None:
    url = empty_postgresql.render_as_string(hide_password=False) + query

    ended = _run("target_app.db", "verify", url=url, folder=tmp_path)

    assert ended.returncode == 1
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"), [(["target_app.db", "verify"], 1), (["target_app", "--port", "0"], 3)]
)
def test_a_misspelt_file_of_sqlite_is_not_made(
    arguments: list[str], code: int, tmp_path: Path
) -> None:
    ended = _run(*arguments, url="sqlite+aiosqlite:///shpo.db", folder=tmp_path)

    assert ended.returncode == code
    assert "there is no file shpo.db; make it with: python -m target_app.db create" in ended.stderr
    assert not (tmp_path / "shpo.db").exists()


@pytest.mark.parametrize("arguments", [["target_app.db", "verify"], ["target_app"]])
def test_missing_settings_are_one_line_and_exit_code_2(
    arguments: list[str], tmp_path: Path
) -> None:
    ended = _run(*arguments, url="", folder=tmp_path)

    assert ended.returncode == 2
    assert "TARGET_APP_DATABASE_URL is not set; set it to something like" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["target_app.db"], "required: COMMAND"),
        (["target_app.db", "drop"], "invalid choice"),
        (["target_app.db", "seed", "--rows", "1"], "--rows 1 is too few, the least is 2"),
        (["target_app.db", "seed", "--rows", "many"], "invalid int value: 'many'"),
        (["target_app", "--port", "65536"], "--port 65536 is not from 0 to 65535"),
    ],
)
def test_misuse_is_exit_code_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    ended = _run(*arguments, url="sqlite+aiosqlite:///shop.db", folder=tmp_path)

    assert ended.returncode == 2
    assert words in ended.stderr


@pytest.mark.parametrize("module", ["target_app", "target_app.db"])
def test_the_help_has_an_example(module: str, tmp_path: Path) -> None:
    ended = _run(module, "--help", url="", folder=tmp_path)

    assert ended.returncode == 0
    assert f"python -m {module}" in ended.stdout.partition("example")[2]


def test_progress_is_told_only_where_it_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    _Progress(every_seconds=60).tell("users", 5000)
    quick = capsys.readouterr().err

    _Progress(every_seconds=0).tell("users", 5000)

    assert quick == ""
    assert capsys.readouterr().err == "users: 5000 rows\n"


@contextmanager
def _serving(
    url: str, *, environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "target_app", "--port", "0"],
        cwd=folder,
        env=_environment(url, outer=environment),
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = ""
        while not (ready := READY.search(said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        yield process, ready[1]
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_the_application_serves_on_a_free_port_until_it_is_interrupted(
    database_file: Path, tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    url = f"sqlite+aiosqlite:///{database_file}"
    with _serving(url, environment=unmeasured_environment, folder=tmp_path) as (process, address):
        answer = httpx.get(f"{address}/health/ready")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert answer.json() == {"status": "ok"}
    assert process.returncode == 0
    assert "Application shutdown complete." in said
    assert "Traceback" not in said
