"""Whatever is wrong: a short message with the remedy, the documented exit code, no traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import RunHarness

_LONGEST_MESSAGE_LINES = 9


def _message(ended: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) <= _LONGEST_MESSAGE_LINES
    return ended.stderr


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"HARNESS_APP": "nowhere.main:app"}, 2, "No module named 'nowhere'"),
        ({"HARNESS_APP": "target_app.main:creat_app"}, 2, "did you mean 'create_app'?"),
        ({"HARNESS_APP": "target_app.main"}, 2, "not of the form 'package.module:name'"),
        ({"HARNESS_APP": "target_app.settings:Settings"}, 2, "not an ASGI application"),
        (
            {"HARNESS_SESSION_DEPENDENCY": "target_app.db:make_engine"},
            2,
            "no route of the application depends on 'make_engine'",
        ),
        ({"HARNESS_ALEMBIC": "nowhere/alembic.ini"}, 2, "there is no"),
        ({"HARNESS_POSTGRES": "embeded"}, 2, 'Did you mean "embedded"?'),
        (
            {"HARNESS_POSTGRES": "container", "DOCKER_HOST": "unix:///nowhere"},
            3,
            "nothing answers at unix:///nowhere",
        ),
        ({"HARNESS_POSTGRES": "postgresql://me:s3cret@127.0.0.1:1/x"}, 3, "127.0.0.1:1"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else None,
)
def test_a_checkup_of_a_wrong_configuration_says_what_is_wrong(
    run_harness: RunHarness, tmp_path: Path, variables: dict[str, str], code: int, words: str
) -> None:
    ended = run_harness("checkup", "--output", str(tmp_path), environment=variables)

    assert words in _message(ended)
    assert ended.returncode == code
    assert "s3cret" not in ended.stdout + ended.stderr


def test_a_project_without_an_application_is_told_how_to_name_one(
    run_harness: RunHarness, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.harness]\n", encoding="utf-8")

    ended = run_harness("checkup", folder=tmp_path)

    assert 'app = "your_package.main:app"' in _message(ended)
    assert ended.returncode == 2


def test_a_taken_port_is_named(run_harness: RunHarness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = run_harness("serve", "--port", str(port))

    assert f"port {port}: Address already in use" in _message(ended)
    assert ended.returncode == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--port", "99999"],
        ["serve", "--pool-timeout", "nan"],
        ["checkup", "--ouput", "x"],
    ],
)
def test_misuse_of_the_command_line_is_exit_code_2(
    run_harness: RunHarness, arguments: list[str]
) -> None:
    ended = run_harness(*arguments)

    assert "Error:" in _message(ended)
    assert ended.returncode == 2


def test_a_report_folder_that_cannot_be_made_is_said_before_the_work(
    run_harness: RunHarness, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    ended = run_harness("checkup", "--output", str(tmp_path / "file" / "report"))

    assert "cannot write the report" in _message(ended)
    assert ended.returncode == 2


@pytest.mark.parametrize("arguments", [["--help"], ["checkup", "--help"], ["serve", "--help"]])
def test_help_has_an_example_and_fits_80_columns(
    run_harness: RunHarness, arguments: list[str]
) -> None:
    ended = run_harness(*arguments)

    assert "Example:\n" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert ended.returncode == 0
