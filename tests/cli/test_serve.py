"""``harness serve PACKAGE.MODULE:NAME``: an application that nobody has configured, or another."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness.errors import RefusedStartError, ServerStartError
from harness.served import ServedApplication, serving
from tests.cli.conftest import RunHarness
from tests.processes import started
from tests.rig.projects import write_project

_TOKEN = "secret"
_APPLICATION = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/name")
async def name():
    return "{name}"
"""


@contextmanager
def served(folder: Path, *options: str) -> Iterator[ServedApplication]:
    """The command as a user starts it, in a folder, with nothing configured by variables."""
    variables = {**os.environ, "HARNESS_TOKEN": _TOKEN, "HARNESS_APP": ""}
    command = [sys.executable, "-m", "harness", "serve", "--json", *options]
    with started(command, folder=folder, environment=variables) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told, process.stderr.read() if process.stderr is not None else ""
        yield ServedApplication(json.loads(told)["url"], _TOKEN)


def name_at(served: ServedApplication) -> str:
    return str(httpx.get(f"{served.url}/name").raise_for_status().json())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an application, and nothing that configures it."""
    (tmp_path / "plain_shop.py").write_text(_APPLICATION.format(name="plain"), "utf-8")
    return tmp_path


def test_an_application_that_is_named_needs_no_configuration(folder: Path) -> None:
    with served(folder, "plain_shop:app") as application:
        assert name_at(application) == "plain"
        assert application.status()["routes"]["GET /name"]["requests"] == 1


def test_it_is_what_all_workers_serve(folder: Path) -> None:
    write_project(folder, name="other_shop")

    with served(folder, "plain_shop:app", "--workers", "2") as application:
        assert {name_at(application) for _ in range(8)} == {"plain"}


def test_an_application_that_is_named_is_served_in_place_of_the_configured_one(
    folder: Path,
) -> None:
    write_project(folder, name="other_shop")

    with served(folder, "plain_shop:app") as application:
        assert name_at(application) == "plain"


def test_what_cannot_be_imported_is_told_by_the_name_that_was_given(
    folder: Path, run_harness: RunHarness
) -> None:
    ended = run_harness("serve", "plain_shop:nothing", folder=folder)

    assert "'plain_shop' has no 'nothing'" in ended.stderr
    assert ended.returncode == 2


def test_two_applications_are_misuse(folder: Path, run_harness: RunHarness) -> None:
    ended = run_harness("serve", "plain_shop:app", "plain_shop:app", folder=folder)

    assert "unexpected extra argument (plain_shop:app)" in ended.stderr
    assert ended.returncode == 2


def test_an_owner_is_told_all_that_the_command_said_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    with (
        pytest.raises(RefusedStartError) as refused,
        serving(environment={"HARNESS_APP": ""}),
    ):
        pass

    lines = str(refused.value).splitlines()
    assert lines[0] == "the application could not be served: no application is configured"
    assert lines[1].startswith("looked for [tool.harness] in ")
    assert lines[-2:] == ["[configuration]", "[start-refused]"]
    assert refused.value.exit_code == 2


def test_what_an_application_prints_before_it_ends_is_told_by_its_last_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    lines = "\n".join(f"print({number})" for number in range(9))
    (folder / "ending_shop.py").write_text(f"{lines}\nimport os\nos._exit(7)\n", "utf-8")

    with (
        pytest.raises(ServerStartError, match="it ended with exit code 7") as ended,
        serving(environment={"HARNESS_APP": "ending_shop:app"}),
    ):
        pass

    assert ended.value.exit_code == 3
