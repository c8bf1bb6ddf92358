"""The rig from its driver's side: what each command does, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import threading
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
from tests.rig.projects import posted, write_project

SMALL = PoolChoice(pool_size=2, max_overflow=0, pool_timeout=0.2)


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


def cut_off(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=60)


def await_blocked(serving: Serving) -> None:
    try:
        while httpx.get(f"{serving.url}/sleep?seconds=0", timeout=0.5):
            pass
    except httpx.TimeoutException:
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


def test_an_application_that_does_not_come_up_leaves_the_rig_usable(rig: Rig) -> None:
    with pytest.raises(ServerStartError, match="could not be served"):
        rig.serve(PoolChoice(pool_size=-1))

    assert posted(rig.serve()).status_code == 200


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
