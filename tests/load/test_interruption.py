"""Ctrl-C during a load: what is known is told, and nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.load.conftest import CountingServer, Generator

_FORGETFUL = """
from locust import events

@events.test_stopping.add_listener
def forget(environment, **_):
    environment.user_classes = []
"""
_BOOKLESS = """
from harness.load.listeners import session_of

events.test_stopping.add_listener(lambda **_: setattr(session_of(), "book", None))
"""
_HANGING = """
import threading
from pathlib import Path

Path({begun!r}).write_bytes(b"imported")
threading.Event().wait()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "workers"])
def test_an_interruption_tells_what_is_known_and_leaves_nothing(
    number: signal.Signals,
    processes: tuple[str, ...],
    server: CountingServer,
    generator: Generator,
    members: Callable[[int], list[int]],
) -> None:
    server.seconds = 0.2
    arguments = generator.headless("-t", "60s", "--stop-timeout", "5", *processes)
    with generator.started(*arguments) as process:
        assert server.some.wait(30)

        # Ctrl-C reaches all processes of a terminal, SIGTERM the one that is named.
        (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
        said, _ = process.communicate(timeout=30)

        assert process.returncode == 130, said
        assert members(process.pid) == []
    result = generator.result
    assert result.is_interrupted
    assert result.tally.requests == len(server.answered) > 0
    assert said.count(f"harness: load   interrupted  {len(server.answered)} requests") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_tells_what_is_known_where_locust_cannot_stop_its_users(
    number: signal.Signals,
    server: CountingServer,
    generator: Generator,
    members: Callable[[int], list[int]],
) -> None:
    text = generator.scenario.read_text(encoding="utf-8")
    generator.scenario.write_text(text + _FORGETFUL, encoding="utf-8")
    with generator.started(*generator.headless("-t", "60s")) as process:
        assert server.some.wait(30)

        os.kill(process.pid, number)
        said, _ = process.communicate(timeout=30)

        assert members(process.pid) == []
    assert said.count("harness: Locust could not stop its users: KeyError('Visitor')") == 1
    assert said.count("harness: load   interrupted ") == 1
    assert "Traceback" not in said
    assert process.returncode == 130
    assert generator.result.is_interrupted


@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT], ids=["tee", "both tee"])
@pytest.mark.parametrize("added", ["", _FORGETFUL], ids=["", "Locust cannot stop"])
def test_an_interruption_that_nobody_reads_has_its_exit_code(
    added: str, errors: int, server: CountingServer, generator: Generator
) -> None:
    """Ctrl-C ends ``tee``, too."""
    text = generator.scenario.read_text(encoding="utf-8")
    generator.scenario.write_text(text + added, encoding="utf-8")
    with generator.started(*generator.headless("-t", "60s"), errors=errors) as process:
        assert server.some.wait(30)
        assert process.stdout is not None
        process.stdout.close()

        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read() if process.stderr is not None else ""
        process.wait(timeout=30)

    assert "Traceback" not in said
    assert process.returncode == 130
    assert generator.result.is_interrupted


@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT], ids=["tee", "both tee"])
def test_a_failure_that_nobody_reads_has_its_exit_code(
    errors: int, server: CountingServer, generator: Generator
) -> None:
    server.status = HTTPStatus.INTERNAL_SERVER_ERROR
    with generator.started(*generator.headless("-t", "1s"), errors=errors) as process:
        assert process.stdout is not None
        process.stdout.close()

        said = process.stderr.read() if process.stderr is not None else ""
        process.wait(timeout=30)

    assert "Traceback" not in said
    assert process.returncode == 1
    assert generator.result.tally.failures > 0


def test_an_interruption_that_cannot_be_told_ends_the_process_all_the_same(
    server: CountingServer, generator: Generator
) -> None:
    text = generator.scenario.read_text(encoding="utf-8")
    generator.scenario.write_text(text + _FORGETFUL + _BOOKLESS, encoding="utf-8")
    with generator.started(*generator.headless("-t", "60s")) as process:
        assert server.some.wait(30)

        os.kill(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)

    assert "harness: what is known cannot be told: AttributeError(" in said
    assert process.returncode == 130


def test_ctrl_c_while_workers_are_awaited_ends_it(
    generator: Generator, members: Callable[[int], list[int]]
) -> None:
    arguments = generator.headless("--master", "--master-bind-port", "0", "--expect-workers", "9")
    with generator.started(*arguments, "--loglevel", "DEBUG") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "0 of 9 connected" in line)

        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)

        assert process.returncode == 130, said
        assert members(process.pid) == []
    assert "Traceback" not in said


def test_ctrl_c_while_the_application_is_started_leaves_no_file(
    generator: Generator, members: Callable[[int], list[int]], tmp_path: Path
) -> None:
    begun, folder = tmp_path / "begun", tmp_path / "tmp"
    os.mkfifo(begun)
    folder.mkdir()
    (tmp_path / "hanging_shop.py").write_text(_HANGING.format(begun=str(begun)), encoding="utf-8")
    project = '[tool.harness]\napp = "hanging_shop:app"\npostgres = "sqlite"\n'
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    own = {key: value for key, value in generator.environment.items() if "HARNESS_" not in key}
    served = replace(generator, environment={**own, "TMPDIR": str(folder)})
    with served.started("--headless", "-u", "1", "-t", "9s") as process:
        begun.read_bytes()

        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)

        assert members(process.pid) == []
    assert "harness: interrupted; what was started stops" in said
    assert process.returncode == 130
    assert list(folder.glob("*.log")) == []


def test_ctrl_c_between_locust_and_the_campaign_it_becomes_is_said_in_a_line() -> None:
    """Locust blocks the signal on its way; it arrives as the command lets it through."""
    script = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'harness', '--help'])\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.stderr == "harness: interrupted; everything that was started is stopped\n"
    assert ended.returncode == 130
