"""A whole scan of an application that has neither rows nor tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from harness.database.embedded import EmbeddedServer
from harness.database.server import PostgresServer
from harness.report.scan_json import load_scan_schema

_PROJECT = """
[tool.harness]
app = "library:app"
metadata = "library:Base"
env.LIBRARY_DATABASE_URL = "{async_url}"

[tool.harness.overrides]
"library:current_user" = "library:somebody"

[[tool.harness.allow]]
identity = "n-plus-one Author.books @ GET /authors"
reason = "a test's"
"""


@pytest.fixture(scope="module")
def harness_postgres() -> Iterator[PostgresServer]:
    """A server of this module alone: on that of the test run, others make and drop databases."""
    with closing(EmbeddedServer.start()) as server:
        yield server


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The project in a folder of its own."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copy(pytestconfig.rootpath / "tests" / "applications" / "library.py", folder)
    (folder / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def scanned(
    library: Path, harness_postgres: PostgresServer
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """One scan, and the databases that it left behind."""
    url = harness_postgres.address.url("postgres", driver="psycopg")
    before = _databases(harness_postgres)
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "scan", "--json"],
        cwd=library,
        env={**os.environ, "HARNESS_POSTGRES": url.render_as_string(hide_password=False)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended, _databases(harness_postgres) - before


@pytest.fixture(scope="module")
def report(scanned: tuple[subprocess.CompletedProcess[str], set[str]]) -> Mapping[str, Any]:
    """What the scan said."""
    assert scanned[0].stdout, scanned[0].stderr
    loaded: Mapping[str, Any] = json.loads(scanned[0].stdout)
    return loaded


@pytest.fixture(scope="module")
def rows(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The endpoints by route."""
    return {row["endpoint"].removeprefix("GET "): row for row in report["endpoints"]}


def _databases(server: PostgresServer) -> set[str]:
    """The databases of a server."""
    with _connected(server, "postgres") as connection:
        return {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}


def _authors_in(server: PostgresServer, template: str) -> int:
    """Rows in a template, by a copy of it: nobody connects to the template itself."""
    name = f"look_{template}"
    with _connected(server, "postgres") as connection:
        connection.autocommit = True
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(Identifier, (name, template)))
        )
        with _connected(server, name) as copy:
            (row,) = copy.execute("SELECT count(*) FROM authors").fetchall()
        connection.execute(SQL("DROP DATABASE {}").format(Identifier(name)))
    return int(row[0])


def _connected(server: PostgresServer, database: str) -> psycopg.Connection[tuple[Any, ...]]:
    address = server.address
    return psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=database,
    )


def test_the_report_fits_its_schema(report: Mapping[str, Any]) -> None:
    jsonschema.validate(report, load_scan_schema())


def test_open_findings_are_the_exit_code(
    scanned: tuple[subprocess.CompletedProcess[str], set[str]], report: Mapping[str, Any]
) -> None:
    found = report["findings"]
    assert [item["label"] for item in found["open"]] == ["Book.loans"]
    assert [item["label"] for item in found["accepted"]] == ["Author.books"]
    assert scanned[0].returncode == 1


def test_a_list_that_loads_for_every_row_grows_by_one(rows: Mapping[str, Any]) -> None:
    row = rows["/authors"]

    assert (row["statements"], row["items"]) == ([3, 4, 11], [2, 3, 10])
    grown = [(item["relationship"], item["slope"]) for item in row["shapes"] if item["slope"]]
    assert (row["trend"], row["verdict"], grown) == ("growing", "warn", [("Author.books", 1.0)])


def test_the_size_of_the_page_follows_the_rows(rows: Mapping[str, Any]) -> None:
    assert rows["/authors"]["path"] == "/authors?limit=10"


def test_a_list_that_loads_at_once_is_constant(rows: Mapping[str, Any]) -> None:
    row = rows["/books"]

    assert (row["statements"], row["items"]) == ([2, 2, 2], [2, 3, 10])
    assert (row["trend"], row["verdict"]) == ("constant", "pass")


def test_what_belongs_to_one_row_grows_below_it(rows: Mapping[str, Any]) -> None:
    row = rows["/authors/{author_id}/books"]

    assert row["items"] == [3, 4, 11]
    assert (row["trend"], row["verdict"]) == ("growing", "fail")


def test_a_path_parameter_is_the_key_of_a_row(rows: Mapping[str, Any]) -> None:
    assert (rows["/books/{isbn}"]["status"], rows["/books/{isbn}"]["verdict"]) == (200, "pass")


def test_the_override_answers_for_the_user(rows: Mapping[str, Any]) -> None:
    assert rows["/me"]["verdict"] == "pass"


def test_what_the_application_writes_is_rolled_back(rows: Mapping[str, Any]) -> None:
    """Two requests at each size: one visit each, beside the rows of the size."""
    assert rows["/visits"]["items"] == [2 + 2, 3 + 2, 10 + 2]


@pytest.mark.parametrize(
    ("route", "status", "why"),
    [
        ("/mine", 403, "answered 403: put the dependency that identifies the user under"),
        ("/seals/{number}", 404, "answered 404: no row that it finds"),
        ("/broken", None, "raised KeyError: 'what generated rows do not have'"),
        ("/inward", None, "no value for secret (header)"),
    ],
)
def test_what_could_not_be_measured_says_why(
    rows: Mapping[str, Any], route: str, status: int | None, why: str
) -> None:
    row = rows[route]

    assert (row["verdict"], row["status"]) == ("skipped", status)
    assert row["note"].startswith(why)


def test_answers_that_do_not_grow_are_said_to_tell_little(rows: Mapping[str, Any]) -> None:
    assert rows["/capped"]["note"] == "says little: the answers have 1, 1, 1 items"


def test_a_table_that_could_not_be_filled_names_the_condition(report: Mapping[str, Any]) -> None:
    problems = {item["table"]: item["problem"] for item in report["tables"] if item["problem"]}

    assert problems == {
        "seals": "a CHECK is_sealed: CHECK ((md5((word)::text) ~~ 'ffffff%'::text))"
    }


def test_no_row_stays_on_the_server(
    scanned: tuple[subprocess.CompletedProcess[str], set[str]], harness_postgres: PostgresServer
) -> None:
    """What stays is the template of the tables, for the next run."""
    left = [_authors_in(harness_postgres, template) for template in scanned[1]]

    assert left == [0]


def test_progress_is_told_where_there_is_no_terminal(
    scanned: tuple[subprocess.CompletedProcess[str], set[str]],
) -> None:
    assert "n = 10: 4 of 5 tables filled" in scanned[0].stderr
