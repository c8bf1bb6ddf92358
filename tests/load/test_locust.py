"""``locust -f loadtests`` as users run it: a real Locust against a really served application."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from harness.served import ServedApplication

RunLocust = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.group("served")


@pytest.fixture
def run_locust(pytestconfig: pytest.Config) -> RunLocust:
    """Runs Locust headless with 8 users for two seconds."""

    def run(*arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "locust", "-f", "loadtests", "--headless"]
        return subprocess.run(
            [*command, "-u", "8", "-r", "8", "-t", "2s", "--only-summary", *arguments],
            cwd=pytestconfig.rootpath,
            env={**os.environ, "HARNESS_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_without_a_host_the_application_is_served_and_judged(run_locust: RunLocust) -> None:
    ended = run_locust()

    assert "harness: load   pass" in ended.stdout
    assert "harness: leak   pass" in ended.stdout
    assert ended.returncode == 0


def test_with_a_host_that_is_used(run_locust: RunLocust, served_app: ServedApplication) -> None:
    before = served_app.status()["routes"].get("GET /posts", {}).get("requests", 0)

    ended = run_locust("--host", served_app.url, token=served_app.token)

    assert served_app.status()["routes"]["GET /posts"]["requests"] > before
    assert "harness: pool   pass" in ended.stdout
    assert ended.returncode == 0


def test_without_a_token_the_pool_is_skipped_with_the_reason(
    run_locust: RunLocust, served_app: ServedApplication
) -> None:
    ended = run_locust("--host", served_app.url)

    assert "harness: pool   skipped      the target has no probe" in ended.stdout
    assert ended.returncode == 0


def test_failed_requests_fail_the_run(run_locust: RunLocust, served_app: ServedApplication) -> None:
    ended = run_locust("--host", served_app.url + "/nowhere")

    assert "harness: load   fail" in ended.stdout
    assert ended.returncode == 1


def test_a_host_where_nothing_answers_is_an_environment_error(run_locust: RunLocust) -> None:
    ended = run_locust("--host", "http://127.0.0.1:1")

    assert "nothing answers at http://127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 3


def test_a_host_elsewhere_needs_a_confirmation(run_locust: RunLocust) -> None:
    ended = run_locust("--host", "http://192.0.2.1")

    assert "--i-own-this-target" in ended.stderr
    assert ended.returncode == 2


def test_ctrl_c_while_the_application_is_being_served_is_said_in_a_line(
    pytestconfig: pytest.Config, unmeasured_environment: Mapping[str, str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", "loadtests", "--headless", "-t", "60s"],
        cwd=pytestconfig.rootpath,
        env={**unmeasured_environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "serving the configured application" in line:
                break

        os.killpg(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()

    assert "interrupted; what was started stops" in errors
    assert "Traceback" not in errors
    assert process.returncode == 130


def test_sigterm_tells_once_what_is_known(
    pytestconfig: pytest.Config, unmeasured_environment: Mapping[str, str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", "loadtests", "--headless", "-u", "2", "-t", "60s"],
        cwd=pytestconfig.rootpath,
        env={**unmeasured_environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "All users spawned" in line:
                break

        process.terminate()
        try:
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()

    assert said.count("harness: load   interrupted") == 1
    assert process.returncode == 130
