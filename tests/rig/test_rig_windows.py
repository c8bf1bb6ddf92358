"""What a window of the rig tells: of each process, of the server, of the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness.errors import MisuseError
from harness.rig.client import Rig, rig_process
from harness.rig.protocol import Serving
from harness.rig.trouble.refusal import CannotTroubleError
from tests.rig.projects import posted, write_project

ASLEEP = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


@contextmanager
def asleep(serving: Serving, *, count: int, seconds: float) -> Iterator[None]:
    """So many requests are being answered; the block ends when they are."""
    url = f"{serving.url}/sleep?seconds={seconds}"
    with ThreadPoolExecutor(count) as threads:
        answers = [threads.submit(httpx.get, url, timeout=60) for _ in range(count)]
        yield
        for answer in answers:
            answer.result()


def await_active(rig: Rig, count: int) -> None:
    until = time.monotonic() + 30
    while rig.rows(f"SELECT count(*) {ASLEEP}") < count and time.monotonic() < until:
        time.sleep(0.02)


def test_several_processes_are_told_apart_and_their_counts_are_all_there(rig: Rig) -> None:
    serving = rig.serve(workers=2)
    rig.begin_window()
    for number, worker in enumerate(serving.workers, start=1):
        for _ in range(number):
            httpx.post(f"{worker.url}/notes")
    stretch = rig.end_window()

    counts = [
        stretch.after[worker.pid]["routes"]["POST /notes"]["requests"] for worker in serving.workers
    ]
    assert counts == [1, 2]
    assert len({worker.pid for worker in serving.workers}) == 2
    assert all(not status["routes"] for status in stretch.before.values())


def test_a_window_tells_what_the_server_saw(rig: Rig) -> None:
    serving = rig.serve()
    with asleep(serving, count=3, seconds=60):
        await_active(rig, 3)
        rig.begin_window()
        time.sleep(0.5)
        stretch = rig.end_window()
        rig.rows(f"SELECT count(pg_cancel_backend(pid)) {ASLEEP}")

    assert stretch.server is not None
    assert (stretch.server.active, stretch.server.others) == (3.0, 0.0)
    assert len(stretch.series) == stretch.server.samples
    assert stretch.seconds >= 0.5
    assert stretch.machine.cores >= 1


def test_a_window_waits_until_no_connection_is_out(rig: Rig) -> None:
    serving = rig.serve()
    with asleep(serving, count=1, seconds=3.0):
        await_active(rig, 1)
        rig.begin_window()
        stretch = rig.end_window(rest_seconds=30)

    (at_end,), (at_rest,) = stretch.after.values(), stretch.at_rest.values()
    assert [pool["checked_out"] for pool in at_end["pools"]] == [1]
    assert [pool["checked_out"] for pool in at_rest["pools"]] == [0]


def test_a_generator_that_is_busy_is_seen(rig: Rig) -> None:
    rig.serve()
    rig.begin_window([os.getpid()])
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    stretch = rig.end_window()

    assert stretch.machine.generator_cpu * stretch.seconds >= 0.4


def test_a_server_that_computes_is_seen(rig: Rig) -> None:
    rig.serve()
    rig.begin_window()
    rig.rows("SELECT count(*) FROM generate_series(1, 3000000)")
    stretch = rig.end_window()

    machine = stretch.machine
    assert machine.server_cpu is not None
    assert machine.participants_cpu is not None
    assert machine.server_cpu * stretch.seconds >= 0.1
    rounding = 1e-9  # sums of the same numbers, in another order
    assert machine.server_cpu <= machine.participants_cpu + rounding


def test_a_window_that_has_not_begun_cannot_end(rig: Rig) -> None:
    rig.serve()

    with pytest.raises(MisuseError, match="no window has begun"):
        rig.end_window()


def test_without_an_application_there_is_no_window(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="nothing is served"):
        rig.begin_window()


def test_without_a_server_there_is_a_reason_and_no_window_of_it(tmp_path: Path) -> None:
    project = write_project(tmp_path, name="small_shop", postgres="sqlite")
    with rig_process() as rig:
        started = rig.start(project)
        serving = rig.serve()
        posted(serving).raise_for_status()
        rig.begin_window()
        stretch = rig.end_window()

        with pytest.raises(MisuseError, match="on a PostgreSQL only"):
            rig.rows("SELECT count(*) FROM notes")
        with pytest.raises(CannotTroubleError, match="on a PostgreSQL only"):
            rig.keys("SELECT id FROM notes WHERE id = $1", beginning="1")
        with pytest.raises(CannotTroubleError, match="SQLite"):
            rig.begin_trouble("backends-killed")

    assert (stretch.server, started.server_pid) == (None, None)
    assert stretch.why_no_server == started.why_no_activity
    assert "SQLite" in stretch.why_no_server
    assert stretch.machine.server_cpu is None
    assert len(stretch.after) == 1
