"""The command in a project without a server: what works on a file, and what is skipped."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import RunHarness
from tests.plugin.conftest import DATABASE, MAIN, TABLE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that was configured for SQLite; what it makes stays below it."""
    monkeypatch.delenv("HARNESS_POSTGRES", raising=False)
    monkeypatch.delenv("HARNESS_APP", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/database.py").write_text(DATABASE)
    (tmp_path / "shop/main.py").write_text(MAIN)
    (tmp_path / "pyproject.toml").write_text(f'{TABLE}\npostgres = "sqlite"\n')
    return tmp_path


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Where the project's application answers."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness", "serve", "--owned", "--json", *options],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]


def authors(url: str) -> int:
    with urllib.request.urlopen(f"{url}/authors", timeout=10) as answer:  # noqa: S310 - loopback
        return int(json.load(answer))


def test_a_checkup_counts_and_skips_the_load(folder: Path, run_harness: RunHarness) -> None:
    done = run_harness("checkup", "--json", folder=folder)

    report = json.loads(done.stdout)
    probes = {probe["probe"]: probe for probe in report["probes"]}
    assert report["database"].startswith("SQLite 3.")
    assert [row["statements"] for row in report["endpoints"]] == [1, 6, 6]
    assert probes["rows"]["verdict"] == "pass"
    assert (probes["load"]["verdict"], "PostgreSQL" in probes["load"]["summary"]) == (
        "skipped",
        True,
    )
    assert "Starting PostgreSQL" not in done.stderr


def test_an_application_is_served_on_a_file_of_its_own(folder: Path) -> None:
    with serving(folder, "--pool-size", "2") as url:
        assert authors(url) == 5


def test_an_application_is_served_on_a_file_that_is_there(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "mine.db")) as connection:
        connection.executescript(
            "CREATE TABLE authors (id INTEGER, name TEXT); INSERT INTO authors VALUES (1, 'ada')"
        )

    with serving(folder, "--database", "mine.db") as url:
        assert authors(url) == 1
    assert (folder / "mine.db").is_file()
