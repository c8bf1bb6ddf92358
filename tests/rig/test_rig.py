"""The rig from its driver's side: what each command does, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness.errors import (
    ConfigurationError,
    MisuseError,
    RigError,
    ServerStartError,
)
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig, rig_process
from harness.rig.protocol import Serving
from harness.rig.trouble.refusal import CannotTroubleError
from tests.rig.conftest import own_server
from tests.rig.projects import write_project

SMALL = PoolChoice(pool_size=2, max_overflow=0, pool_timeout=0.2)


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    yield shared_rig
    shared_rig.stop()


def interrupted(rig: Rig) -> None:
    """As by Ctrl-C, which reaches the rig as well."""
    rig.process.kill()
    raise KeyboardInterrupt


def posted(serving: Serving) -> httpx.Response:
    return httpx.post(f"{serving.url}/notes", timeout=30)


@contextmanager
def asleep(serving: Serving, *, count: int, seconds: float) -> Iterator[None]:
    """So many requests are being answered; the block ends when they are."""
    url = f"{serving.url}/sleep?seconds={seconds}"
    with ThreadPoolExecutor(count) as threads:
        answers = [threads.submit(httpx.get, url, timeout=30) for _ in range(count)]
        yield
        for answer in answers:
            answer.result()


def test_the_application_is_served_with_its_own_pool(rig: Rig) -> None:
    serving = rig.serve()
    posted(serving)

    rig.begin_window()
    (status,) = rig.end_window().after.values()

    assert [(pool["size"], pool["max_overflow"]) for pool in status["pools"]] == [(3, 1)]


def test_it_is_served_again_with_another_pool_and_environment(rig: Rig) -> None:
    first = rig.serve()
    second = rig.serve(SMALL, environment={"SHOP_NAME": "corner"})
    answer = posted(second).json()
    rig.begin_window()
    (status,) = rig.end_window().after.values()

    pools = [
        (pool["size"], pool["max_overflow"], pool["timeout_seconds"]) for pool in status["pools"]
    ]
    assert pools == [(2, 0, 0.2)]
    assert answer == "corner"
    with pytest.raises(httpx.TransportError):
        posted(first)


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
    with asleep(serving, count=3, seconds=1.5):
        await_active(rig, 3)
        rig.begin_window()
        time.sleep(0.5)
        stretch = rig.end_window()

    assert stretch.server is not None
    assert (stretch.server.active, stretch.server.others) == (3.0, 0.0)
    assert len(stretch.series) == stretch.server.samples
    assert stretch.seconds >= 0.5
    assert stretch.machine.cores >= 1


def await_active(rig: Rig, count: int) -> None:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%'"
    )
    until = time.monotonic() + 30
    while rig.rows(f"{query} AND pid <> pg_backend_pid()") < count and time.monotonic() < until:
        time.sleep(0.02)


def test_a_window_waits_until_no_connection_is_out(rig: Rig) -> None:
    serving = rig.serve()
    with asleep(serving, count=1, seconds=1.0):
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


def test_a_process_that_hangs_is_a_fact_and_not_the_end(rig: Rig) -> None:
    serving = rig.serve(workers=2)
    hanging, healthy = serving.workers
    os.kill(hanging.pid, signal.SIGSTOP)
    try:
        rig.begin_window()
        stretch = rig.end_window()
    finally:
        os.kill(hanging.pid, signal.SIGCONT)

    assert set(stretch.after) == {healthy.pid}
    assert set(stretch.unreadable) == {hanging.pid}
    assert "timed out" in stretch.unreadable[hanging.pid]


def cut_off(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=60)


def await_blocked(serving: Serving) -> None:
    try:
        while httpx.get(f"{serving.url}/sleep?seconds=0", timeout=0.5):
            pass
    except httpx.ReadTimeout:
        return


def test_an_application_whose_loop_is_blocked_can_be_stopped(rig: Rig) -> None:
    serving = rig.serve()
    requesting = threading.Thread(target=lambda: cut_off(f"{serving.url}/block?seconds=600"))
    requesting.start()
    await_blocked(serving)
    rig.stop()
    requesting.join(30)

    assert not requesting.is_alive()
    assert rig.serve().url


def test_rows_are_counted_in_the_applications_database(rig: Rig) -> None:
    serving = rig.serve()
    before = rig.rows("SELECT count(*) FROM notes")
    for _ in range(3):
        posted(serving)

    assert rig.rows("SELECT count(*) FROM notes") - before == 3


def test_a_commit_that_was_answered_is_on_disk(rig: Rig) -> None:
    """Our servers are set up to be quick; after a crash that would look like the application."""
    setting = "SELECT (current_setting('synchronous_commit') = 'on')::int"

    assert rig.rows(setting) == 1


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ("DELETE FROM notes", "read-only transaction"),
        ("SELECT 'many'", "not a number of rows: 'many'"),
        ("SELECT count(*) FROM nowhere", "does not exist"),
    ],
)
def test_what_is_no_count_is_refused(rig: Rig, select: str, told: str) -> None:
    with pytest.raises(MisuseError, match=told):
        rig.rows(select)


def test_killed_backends_are_told_and_the_application_works_on(rig: Rig) -> None:
    serving = rig.serve()
    posted(serving)
    with rig.trouble("backends-killed") as facts:
        posted(serving)

    assert len(facts["killed"]) == 1
    assert posted(serving).status_code == 200


def test_a_cut_network_is_felt_by_the_application_and_not_by_the_rig(rig: Rig) -> None:
    serving = rig.serve(SMALL, is_proxied=True)
    posted(serving)
    with rig.trouble("network", existing="reset", new="reset"):
        statuses = [posted(serving).status_code for _ in range(3)]
        rows = rig.rows("SELECT count(*) FROM notes")

    assert statuses == [500, 500, 500]
    assert rows > 0
    assert posted(serving).status_code == 200


def test_a_network_that_nobody_stands_in_cannot_be_cut(rig: Rig) -> None:
    rig.serve()

    with pytest.raises(CannotTroubleError, match="connected to its server directly"):
        rig.begin_trouble("network", new="reset")


def test_a_restarted_server_is_the_same_and_watched_on(rig: Rig) -> None:
    serving = rig.serve()
    rows = rig.rows("SELECT count(*) FROM notes")
    with rig.trouble("server-restarted"):
        pass
    posted(serving)  # on the connection that the restart has ended
    posted(serving)

    assert rig.rows("SELECT count(*) FROM notes") > rows


def test_an_unknown_trouble_names_those_that_there_are(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="there is no trouble 'flood'") as raised:
        rig.begin_trouble("flood")

    assert "backends-killed" in str(raised.value)


def test_an_option_that_a_trouble_does_not_have_is_misuse(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="'tables-locked' cannot be made so"):
        rig.begin_trouble("tables-locked", minutes=1)


def test_an_application_that_does_not_come_up_leaves_the_rig_usable(rig: Rig) -> None:
    with pytest.raises(ServerStartError, match="could not be served"):
        rig.serve(PoolChoice(pool_size=-1))

    assert posted(rig.serve()).status_code == 200


def test_a_window_that_has_not_begun_cannot_end(rig: Rig) -> None:
    rig.serve()

    with pytest.raises(MisuseError, match="no window has begun"):
        rig.end_window()


def test_without_an_application_there_is_no_window(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="nothing is served"):
        rig.begin_window()


def test_one_rig_has_one_project(rig: Rig, project: Path) -> None:
    with pytest.raises(MisuseError, match="has started already"):
        rig.start(project)


def test_errors_are_of_the_class_that_was_raised_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.harness]\napplication = 'x'\n", "utf-8")

    with rig_process() as rig, pytest.raises(ConfigurationError) as raised:
        rig.start(tmp_path)

    assert "application" in raised.value.what


def test_a_rig_that_was_killed_is_told_with_what_it_said_last(tmp_path: Path) -> None:
    project = write_project(tmp_path, name="killed_shop")
    with rig_process() as rig:
        started = rig.start(project)
        os.kill(started.rig_pid, signal.SIGKILL)

        with pytest.raises(RigError, match=r"has ended \(exit code -9\)") as raised:
            rig.rows("SELECT 1")

    assert "preparing a database" in raised.value.where


def test_progress_and_what_an_application_prints_are_told_apart_from_answers(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    with rig_process(progress=said.append) as rig:
        started = rig.start(write_project(tmp_path, name="loud_shop"))

    assert started.database.startswith("harness_")
    assert "starting the database server" in said
    assert "what an application prints while it is imported" in said


def test_keys_are_read_from_the_applications_database(rig: Rig) -> None:
    serving = rig.serve()
    before = rig.keys("SELECT 'note-' || id FROM notes WHERE $1 <> ''", beginning="note-")
    posted(serving)
    after = rig.keys("SELECT 'note-' || id FROM notes WHERE $1 <> ''", beginning="note-")

    assert set(before) < set(after)
    assert set(after.values()) == {1}
    assert rig.keys("SELECT 'x' WHERE starts_with('x', $1)", beginning="y") == {}


def test_a_select_for_keys_that_the_server_refuses_is_shown(rig: Rig) -> None:
    with pytest.raises(ConfigurationError, match="keys cannot be read"):
        rig.keys("SELECT nothing FROM nowhere WHERE $1 <> ''", beginning="a")


def test_with_its_own_connections_taken_an_application_has_none(rig: Rig) -> None:
    serving = rig.serve(is_proxied=True)
    posted(serving).raise_for_status()

    with rig.trouble("connections-taken", with_theirs=True) as facts:
        meanwhile = posted(serving)

    assert meanwhile.status_code == 500
    assert facts["taken"] > 50
    assert posted(serving).status_code == 200


def test_what_ends_a_trouble_is_not_hidden_by_a_rig_that_is_gone(project: Path) -> None:
    with rig_process(environment=own_server()) as rig:
        rig.start(project)
        rig.serve()

        with pytest.raises(KeyboardInterrupt), rig.trouble("backends-killed"):
            interrupted(rig)


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
    assert len(stretch.after) == 1
