"""Locust on several processes: the counts of all arrive, or the verdict says that they do not."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.capture.readings import pool
from tests.load.conftest import CountingServer, Generator, told_by_probe

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_forked_workers_lose_nothing_not_even_what_is_in_flight_at_the_end(
    server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.9

    code, said = generator.run("-t", "2s", "--stop-timeout", "5", "--processes", "2")

    result = generator.result
    assert result.tally.requests == len(server.answered) > 0, said
    assert (result.workers, result.losses) == (2, ())
    assert [one.good for one in result.tally.timeline.moments()] != []
    assert code == 0


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "workers"])
def test_what_others_have_done_to_the_pool_before_is_not_of_the_run(
    processes: tuple[str, ...], server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe(pool(timeouts=36, checkouts=100))

    code, said = replace(generator, token="any").run("-t", "3s", *processes)

    assert "harness: pool   pass" in said
    assert "harness: leak   pass         all of 0 checkouts came back" in said
    assert code == 0


def test_workers_that_were_started_by_hand_lose_nothing(
    server: CountingServer, generator: Generator
) -> None:
    port = str(_free_port())
    worker = ("--worker", "--master-port", port)
    master = ("-t", "2s", "--stop-timeout", "5", "--master", "--expect-workers", "2")

    with generator.started(*worker) as one, generator.started(*worker) as other:
        code, said = generator.run(*master, "--master-bind-port", port)
        one_said, _ = one.communicate(timeout=30)
        other_said, _ = other.communicate(timeout=30)

    result = generator.result
    assert result.tally.requests == len(server.answered) > 0
    assert (result.workers, result.losses, result.users) == (2, (), 4)
    assert "harness: load   pass" in said
    assert "harness: load" not in one_said + other_said
    assert code == 0


def test_the_verdict_of_the_master_is_the_exit_code(
    server: CountingServer, generator: Generator
) -> None:
    server.status = HTTPStatus.INTERNAL_SERVER_ERROR

    code, said = generator.run("-t", "1s", "--processes", "2")

    assert "harness: load   fail" in said
    assert code == 1


def test_a_worker_that_dies_makes_the_verdict_inconclusive(
    server: CountingServer, generator: Generator
) -> None:
    arguments = generator.headless("-t", "6s", "--processes", "2", "--loglevel", "DEBUG")
    with generator.started(*arguments) as process:
        assert process.stdout is not None
        worker = next(
            int(found[1])
            for line in process.stdout
            if (found := re.search(r"child worker with pid #(\d+)", line))
        )
        assert server.some.wait(30)

        os.kill(worker, signal.SIGKILL)
        said, _ = process.communicate(timeout=60)

    assert "harness: counts inconclusive 1 of 2 workers went away before the end" in said
    assert process.returncode == 3


def test_a_worker_that_leaves_in_order_loses_nothing_but_is_told(
    server: CountingServer, generator: Generator
) -> None:
    port = str(_free_port())
    worker = ("--worker", "--master-port", port)
    master = ("-t", "4s", "--stop-timeout", "5", "--master", "--expect-workers", "2")

    with (
        generator.started(*worker) as one,
        generator.started(*worker),
        generator.started(*generator.headless(*master, "--master-bind-port", port)) as judge,
    ):
        assert server.some.wait(30)
        one.send_signal(signal.SIGINT)
        said, _ = judge.communicate(timeout=60)

    assert generator.result.tally.requests == len(server.answered) > 0
    assert "harness: counts inconclusive 1 of 2 workers went away before the end" in said
    assert judge.returncode == 3


@pytest.mark.parametrize("rate", [(), ("--arrival-rate", "20")], ids=["closed", "open"])
def test_a_worker_that_cannot_start_its_users_makes_the_verdict_inconclusive(
    rate: tuple[str, ...], generator: Generator
) -> None:
    foreign = generator.scenario.with_name("old_image.py")
    text = generator.scenario.read_text(encoding="utf-8")
    foreign.write_text(text.replace("Visitor", "Guest"), encoding="utf-8")
    port = str(_free_port())
    worker = ("--worker", "--master-port", port)
    master = ("-t", "3s", "--master", "--expect-workers", "2", "--master-bind-port", port)

    with generator.started(*worker), replace(generator, scenario=foreign).started(*worker):
        code, said = generator.run(*master, *rate)

    assert "harness: counts inconclusive 2 of 4 users ran at most" in said
    assert not re.search(r"harness: (load|rate) +pass", said)
    assert (generator.result.users, generator.result.workers) == (2, 2)
    assert code == 3


def test_workers_end_with_a_master_that_was_killed(
    server: CountingServer, generator: Generator, members: Callable[[int], list[int]]
) -> None:
    with generator.started(*generator.headless("-t", "60s", "--processes", "2")) as process:
        assert server.some.wait(30)

        process.kill()

        assert members(process.pid) == []


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
