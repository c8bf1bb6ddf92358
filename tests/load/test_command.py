"""`harness load`: a packaged scenario without a locustfile of one's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.load.conftest import CountingServer

RunLoad = Callable[..., subprocess.CompletedProcess[str]]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", "load", *arguments]


@pytest.fixture
def run_load(tmp_path: Path, unmeasured_environment: Mapping[str, str]) -> RunLoad:
    """Runs the verb in a folder without configuration."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command(*arguments),
            cwd=tmp_path,
            env={**unmeasured_environment, "HARNESS_TOKEN": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_the_routes_that_openapi_tells_are_requested(
    run_load: RunLoad, server: CountingServer
) -> None:
    ended = run_load("browse", "--host", server.url, "--users", "2", "--time", "1s")

    assert set(server.answered) == {"/pages"}
    assert "harness: load   pass" in ended.stdout
    assert ended.returncode == 0


def test_the_exit_code_is_passed_on(run_load: RunLoad, server: CountingServer) -> None:
    server.status = HTTPStatus.INTERNAL_SERVER_ERROR

    ended = run_load("browse", "--host", server.url, "--time", "1s")

    assert "harness: load   fail" in ended.stdout
    assert ended.returncode == 1


def test_what_follows_two_dashes_goes_to_locust(run_load: RunLoad, server: CountingServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # Locust's own port is everybody's
        port = str(taken.getsockname()[1])
    ports = ("--master-bind-port", port, "--master-port", port)
    more = ("--", "--processes", "2", *ports, "--arrival-rate", "10")

    ended = run_load("browse", "--host", server.url, "--time", "2s", "--json", *more)

    told = json.loads(ended.stdout)
    assert (told["workers"], told["target_rate"]) == (2, 10.0)
    assert [row["probe"] for row in told["verdicts"]] == ["load", "rate", "pool"]
    assert ended.returncode == 0


def test_an_application_that_tells_no_routes_is_inconclusive(
    run_load: RunLoad, server: CountingServer
) -> None:
    server.openapi = "{}"

    ended = run_load("browse", "--host", server.url, "--time", "1s")

    assert "has no GET without a value; give --plan" in ended.stderr
    assert "harness: load   inconclusive no request was sent" in ended.stdout
    assert ended.returncode == 3


def test_the_scenarios_are_listed(run_load: RunLoad) -> None:
    ended = run_load("--list")

    assert ended.stdout == (
        "browse          A steady mix of GET routes: each route as often as any other.\n"
    )


def test_a_scenario_that_is_none_is_misuse(run_load: RunLoad) -> None:
    ended = run_load("brows")

    assert "'brows' is not one of browse" in ended.stderr
    assert ended.returncode == 2


def test_ctrl_c_tells_what_is_known(
    server: CountingServer, tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    process = subprocess.Popen(
        _command("browse", "--host", server.url, "--time", "60s"),
        cwd=tmp_path,
        env={**unmeasured_environment, "HARNESS_TOKEN": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert server.some.wait(30)
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()

    assert "harness: load   interrupted" in said
    assert "Traceback" not in said
    assert process.returncode == 130
