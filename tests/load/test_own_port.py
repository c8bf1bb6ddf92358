"""A port for the workers of one run: theirs alone, and nobody else's business."""

from __future__ import annotations

import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from harness.load.own_port import forks_its_workers
from tests.load.conftest import CountingServer, Generator

_LOCUSTS_OWN = 5557
_PORTS = """
import harness.load.users
from locust.argument_parser import get_parser

options = get_parser().parse_args()
print(options.master_bind_port, options.master_port)
"""


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--processes", "2"], {}),
        (["-f", "loadtests", "--headless", "--processes=-1", "Browse"], {}),
        ([], {"LOCUST_PROCESSES": "2"}),
    ],
)
def test_a_master_that_forks_its_workers_has_a_port_of_its_own(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> None:
    assert forks_its_workers(arguments, environment, reader=ArgumentParser(add_help=False))


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {}),
        (["--master"], {}),
        (["--processes", "2", "--worker"], {}),
        (["--processes", "2"], {"LOCUST_MODE_WORKER": "true"}),
        (["--processes", "2", "--master-bind-port", "7000"], {}),
        (["--processes", "2", "--master-port=7000"], {}),
        (["--processes", "2"], {"LOCUST_MASTER_BIND_PORT": "7000"}),
        (["--processes"], {}),
    ],
)
def test_whoever_meets_others_keeps_the_port_that_they_know(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> None:
    assert not forks_its_workers(arguments, environment, reader=ArgumentParser(add_help=False))


@pytest.fixture
def ports(tmp_path: Path, unmeasured_environment: Mapping[str, str]) -> Callable[..., list[int]]:
    """Tells where a master listens and its workers look for it, with this configuration file."""

    def told(configuration: str, *arguments: str) -> list[int]:
        (tmp_path / "locust.conf").write_text(configuration, encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-c", _PORTS, *arguments],
            cwd=tmp_path,
            env=unmeasured_environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [int(port) for port in ended.stdout.split()]

    return told


def test_workers_that_a_configuration_file_asks_for_have_a_port_of_their_own(
    ports: Callable[..., list[int]],
) -> None:
    bound, sought = ports("processes = 2\n")

    assert bound == sought != _LOCUSTS_OWN


def test_a_port_that_a_configuration_file_names_is_kept(ports: Callable[..., list[int]]) -> None:
    bound, sought = ports("master-bind-port = 7000\nrun-time = 5s\n", "--processes", "2")

    assert (bound, sought) == (7000, _LOCUSTS_OWN)


def test_a_run_goes_on_beside_another_at_locusts_own_port(
    server: CountingServer, generator: Generator
) -> None:
    arguments = (
        *("--headless", "--only-summary", "-u", "4", "-r", "100", "-t", "2s"),
        *("--stop-timeout", "5"),  # what is in flight at the end is counted, too
    )
    with ExitStack() as stack:
        with suppress(OSError):  # somebody does run another
            stack.enter_context(socket.create_server(("", _LOCUSTS_OWN)))
        process = stack.enter_context(
            generator.started(
                *(*arguments, "--host", server.url, "--processes", "2"),
                *("--result", str(generator.result_file)),
            )
        )
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert (generator.result.workers, generator.result.losses) == (2, ())
    assert generator.result.tally.requests == len(server.answered) > 0
