"""Ctrl-C during a load: what is known is told, and nothing stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.load.conftest import CountingServer, Generator

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
    assert f"harness: load   interrupted  {len(server.answered)} requests" in said
    assert "Traceback" not in said


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
