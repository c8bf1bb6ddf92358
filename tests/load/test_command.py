"""`harness load`: probes with packaged traffic, without a locustfile of one's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import click
import pytest

from harness.campaign.probes import PROBES
from harness.cli.load import load
from tests.load.conftest import CountingServer

RunLoad = Callable[..., subprocess.CompletedProcess[str]]

_WITHOUT_LOCUST = """
import sys
sys.modules["locust"] = None
from harness.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def run_load(tmp_path: Path, unmeasured_environment: Mapping[str, str]) -> RunLoad:
    """Runs the verb in a folder without configuration."""

    def run(
        *arguments: str, program: tuple[str, ...] = ("-m", "harness")
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *program, "load", *arguments],
            cwd=tmp_path,
            env={**unmeasured_environment, "HARNESS_TOKEN": "", "HARNESS_APP": "", "COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_the_routes_that_openapi_tells_are_requested(
    run_load: RunLoad, server: CountingServer, tmp_path: Path
) -> None:
    ended = run_load("browse", "--host", server.url, "--users", "2", "--time", "1s")

    assert set(server.answered) == {"/pages"}
    told = [line for line in ended.stdout.splitlines() if "still:" not in line]
    assert sum("2 users browse for 1 s" in line for line in told) == 1
    assert "PASS: 2 probes: 1 pass, 1 skipped" in ended.stdout
    assert max(len(line) for line in ended.stdout.splitlines()) <= 80
    assert {file.name for file in (tmp_path / "harness-report").iterdir()} == {
        "load.html",
        "load.json",
    }
    assert ended.returncode == 0


def test_what_fails_is_the_exit_code(run_load: RunLoad, server: CountingServer) -> None:
    server.status = HTTPStatus.INTERNAL_SERVER_ERROR

    ended = run_load("browse", "--host", server.url, "--time", "1s")

    assert ended.stdout.count("FAIL  failed-requests") == 1
    assert ended.returncode == 1


def test_what_follows_two_dashes_goes_to_locust(run_load: RunLoad, server: CountingServer) -> None:
    more = ("--", "--processes", "2", "--arrival-rate", "20")

    ended = run_load("browse", "--host", server.url, "--time", "2s", "--json", *more)

    told = json.loads(ended.stdout)
    assert told["phases"][0]["windows"][0]["client"]["target_rate"] == 20.0
    assert [row["probe"] for row in told["probes"]] == ["load", "rate", "slow-requests"]
    assert "users browse" in ended.stderr
    assert ended.returncode == 0


def test_a_plan_is_requested_in_place_of_what_openapi_tells(
    run_load: RunLoad, server: CountingServer, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('[["GET /users/{id}", "/users/7"]]', "utf-8")

    ended = run_load("browse", "--host", server.url, "--time", "1s", "--plan", str(plan))

    assert set(server.answered) == {"/users/7"}
    assert ended.returncode == 0


@pytest.mark.parametrize("text", ["[]", '["ab"]', None], ids=["empty", "rows", "gone"])
def test_a_file_that_is_no_plan_is_misuse(
    text: str | None, run_load: RunLoad, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    if text is not None:
        plan.write_text(text, "utf-8")

    ended = run_load("browse", "--host", "http://127.0.0.1:1", "--plan", str(plan))

    assert "is no JSON list of [route, path]" in ended.stderr
    assert ended.returncode == 2


def test_an_option_that_locust_does_not_know_is_named(
    run_load: RunLoad, server: CountingServer
) -> None:
    ended = run_load("browse", "--host", server.url, "--time", "1s", "--", "--nope")

    assert "unrecognized arguments: --nope" in ended.stderr
    assert server.answered == []
    assert ended.returncode == 2


@pytest.mark.parametrize("arguments", [("soak", "--help"), ("--help", "soak")])
def test_the_help_of_a_probe_begins_with_its_story(
    arguments: tuple[str, ...], run_load: RunLoad
) -> None:
    ended = run_load(*arguments)

    story = "soak: A constant load for long: what grows with every request shows"
    assert ended.stdout.splitlines()[2].strip().startswith(story)
    assert "Run a load probe, or all of them" in ended.stdout
    assert ended.returncode == 0


def test_help_without_a_probe_tells_of_all(run_load: RunLoad) -> None:
    ended = run_load("--help")

    assert ended.stdout.splitlines()[2].strip().startswith("Run a load probe, or all of them")


def test_the_value_of_an_option_names_no_probe(run_load: RunLoad) -> None:
    ended = run_load("--output", "soak", "--help")

    assert ended.stdout.splitlines()[2].strip().startswith("Run a load probe, or all of them")
    assert ended.returncode == 0


def test_the_help_is_told_to_whoever_renders_it_without_a_command_line() -> None:
    told = load.get_help(click.Context(load))

    assert "Run a load probe, or all of them" in told


def test_an_application_that_tells_no_routes_is_misuse_with_the_way_out(
    run_load: RunLoad, server: CountingServer
) -> None:
    server.openapi = "{}"

    ended = run_load("browse", "--host", server.url, "--time", "1s")

    assert "has no GET without a value" in ended.stderr
    assert "give --plan FILE: a JSON list of [route, path]" in ended.stderr
    assert ended.returncode == 2


def test_the_probes_are_listed_in_their_order(run_load: RunLoad) -> None:
    ended = run_load("--list")

    lines = ended.stdout.splitlines()
    names = [name for line in lines if (name := line[:16].rstrip())]
    assert names == [*PROBES, "campaign"]
    assert all(line[16:].strip() for line in lines)
    assert max(map(len, lines)) <= 80
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("brows",), "'brows' is not one of browse"),
        (("browse", "--time", "soon"), "'soon' is no time such as 90s, 5m or 1h30m"),
        (("browse", "--time", "25h"), "'25h' is longer than the 24h that are allowed"),
        (("browse", "--host", "http://192.0.2.1"), "give --i-own-this-target"),
        (("browse",), "no application is configured"),
        (("browse", "--target-rate", "nan"), "nan is no number"),
        (("browse", "--surge", "inf"), "inf is no number"),
        (
            ("n_plus_one", "--host", "http://127.0.0.1:1", "--count-by=echo", "--echo-log=x.log"),
            "there is no echo log x.log",
        ),
    ],
    ids=["name", "time", "long", "host", "app", "rate", "surge", "log"],
)
def test_misuse_is_said_in_words(arguments: tuple[str, ...], why: str, run_load: RunLoad) -> None:
    ended = run_load(*arguments)

    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


def test_a_host_where_nothing_answers_is_an_environment_error(run_load: RunLoad) -> None:
    ended = run_load("browse", "--host", "http://127.0.0.1:1")

    assert "nothing answers at http://127.0.0.1:1" in ended.stderr
    assert ended.returncode == 3


def test_without_locust_it_is_said_what_to_install(run_load: RunLoad) -> None:
    ended = run_load("browse", program=("-c", _WITHOUT_LOCUST))

    assert "a load needs 'locust', which is not installed" in ended.stderr
    assert "pip install 'fastapi-sqlalchemy-harness[load]'" in ended.stderr
    assert ended.returncode == 3
