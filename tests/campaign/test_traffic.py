"""Locust as a child process: when it counts, what it counts, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load, Traffic, traffic
from harness.errors import MisuseError, ServerStartError
from tests.load.conftest import CountingServer

USER = """
from locust import constant, task
from harness.load.users import HarnessUser

class {name}(HarnessUser):
    wait_time = constant(0.02)

    @task
    def page(self) -> None:
        self.get("/{name}")
"""

Written = Callable[..., Scenario]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file for each class, and gives the scenario of all of them."""

    def write(*names: str) -> Scenario:
        for name in names:
            (tmp_path / f"{name.lower()}.py").write_text(USER.format(name=name), "utf-8")
        first, *others = [(tmp_path / f"{name.lower()}.py", name) for name in names]
        return Scenario("browse", *first, beside=tuple(others))

    return write


def test_without_a_warm_up_every_answer_is_counted(
    written: Written, server: CountingServer
) -> None:
    with traffic(written("Reader"), Load(3, 1.0), host=server.url) as running:
        running.await_counting()
        running.await_end()
        result = running.result()

    assert result.tally.requests == len(server.answered) > 0
    assert result.users == 3


def test_files_of_traffic_whose_owner_was_killed_go_with_the_next(
    written: Written, server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    left = temporary / "harness-traffic-left"
    left.mkdir(parents=True, mode=0o700)
    (left / "lives").touch()  # which nobody holds
    (left / "plan.json").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    with traffic(written("Reader"), Load(1, 1.0), host=server.url) as running:
        during = {folder.name for folder in temporary.iterdir()}
        running.result()

    assert (len(during), left.name in during) == (1, False)
    assert list(temporary.iterdir()) == []


def test_what_is_sent_during_the_warm_up_is_not_counted(
    written: Written, server: CountingServer
) -> None:
    with traffic(written("Reader"), Load(2, 1.0, warm_up_seconds=1.0), host=server.url) as running:
        running.await_counting()
        before = len(server.answered)
        running.await_end()
        result = running.result()

    assert before > 0
    # The announcement is read a moment later than it is made.
    assert 0 < len(server.answered) - before <= result.tally.requests
    assert result.tally.requests < len(server.answered)
    assert result.seconds == pytest.approx(1.0, abs=0.5)


def test_with_workers_a_warm_up_is_not_counted_either(
    written: Written, server: CountingServer
) -> None:
    load = Load(2, 2.0, warm_up_seconds=3.0, options=("--processes", "2"))
    with traffic(written("Reader"), load, host=server.url) as running:
        running.await_counting()
        before = len(server.answered)
        running.await_end()
        result = running.result()

    assert before > 0
    assert (result.workers, result.losses) == (2, ())
    assert 0 < result.tally.requests < len(server.answered)


def test_classes_of_several_files_load_together(written: Written, server: CountingServer) -> None:
    with traffic(written("Reader", "Writer"), Load(4, 1.0), host=server.url) as running:
        result = running.result()

    assert set(result.tally.routes) == {"GET /Reader", "GET /Writer"}


def test_other_classes_of_a_file_do_not_load(written: Written, server: CountingServer) -> None:
    scenario = written("Reader")
    assert isinstance(scenario.file, Path)
    scenario.file.write_text(USER.format(name="Reader") + USER.format(name="Other"), "utf-8")

    with traffic(scenario, Load(4, 1.0), host=server.url) as running:
        result = running.result()

    assert set(result.tally.routes) == {"GET /Reader"}


def test_a_locust_that_dies_says_why(tmp_path: Path, server: CountingServer) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import a_package_that_is_not_there\n", "utf-8")

    with (
        pytest.raises(ServerStartError) as caught,
        traffic(Scenario("browse", file), Load(1, 1.0), host=server.url) as running,
    ):
        running.await_counting()

    assert "Locust ended too early (exit code 1)" in str(caught.value)
    assert "a_package_that_is_not_there" in str(caught.value)


def test_what_a_file_prints_as_it_is_imported_is_no_announcement(
    written: Written, server: CountingServer
) -> None:
    scenario = written("Reader")
    assert isinstance(scenario.file, Path)
    said = 'print("users are ready")\nprint("now: ", end="", flush=True)\n'
    scenario.file.write_text(said + scenario.file.read_text("utf-8"), "utf-8")

    with traffic(scenario, Load(1, 1.0), host=server.url) as running:
        running.await_counting()
        running.await_end()
        result = running.result()

    assert result.tally.requests > 0


def test_a_file_that_prints_why_it_ends_is_quoted(tmp_path: Path, server: CountingServer) -> None:
    file = tmp_path / "guarded.py"
    file.write_text('import sys\nprint("set TOKEN first")\nsys.exit(1)\n', "utf-8")

    with (
        pytest.raises(ServerStartError) as caught,
        traffic(Scenario("browse", file), Load(1, 1.0), host=server.url) as running,
    ):
        running.await_counting()

    assert "set TOKEN first" in caught.value.where


_DIES = """
import logging, os
from locust import events

@events.init.add_listener
def die(**_: object) -> None:
    os.write(2, b"first\\n")
    logging.getLogger().error("the reason")
    os.write(2, b"and what else there was to say of it" * 5)
    os._exit(3)
"""


def test_neither_its_log_nor_its_errors_are_written_over_each_other(
    written: Written, server: CountingServer
) -> None:
    scenario = written("Reader")
    assert isinstance(scenario.file, Path)
    scenario.file.write_text(_DIES + scenario.file.read_text("utf-8"), "utf-8")

    with (
        traffic(scenario, Load(1, 1.0), host=server.url) as running,
        pytest.raises(ServerStartError) as caught,
    ):
        running.await_counting()

    first, reason, more = caught.value.where.splitlines()[-3:]
    assert first == "first"
    assert reason.endswith("the reason")
    assert more.startswith("and what else")


def test_one_that_is_interrupted_tells_what_it_has_counted(
    written: Written, server: CountingServer
) -> None:
    with traffic(written("Reader"), Load(2, 60.0), host=server.url) as running:
        running.await_counting()
        assert server.some.wait(20)
        running.interrupt()
        result = running.result()

    assert result.is_interrupted
    assert result.tally.requests == len(server.answered) > 0


def test_one_that_has_ended_by_itself_is_not_interrupted(
    written: Written, server: CountingServer
) -> None:
    with traffic(written("Reader"), Load(2, 1.0), host=server.url) as running:
        running.await_end()
        before = running.result()
        running.interrupt()

        assert running.result().tally.requests == before.tally.requests > 0


def test_locust_ends_with_the_block(written: Written, server: CountingServer) -> None:
    began = time.monotonic()
    with traffic(written("Reader"), Load(1, 60.0), host=server.url) as running:
        running.await_counting()

    assert running.process.returncode is not None
    assert time.monotonic() - began < 30


def test_an_option_that_locust_does_not_know_is_misuse_that_names_it(
    written: Written, server: CountingServer
) -> None:
    load = Load(1, 1.0, options=("--nope",))

    with (
        traffic(written("Reader"), load, host=server.url) as running,
        pytest.raises(MisuseError, match="its options: unrecognized arguments: --nope") as caught,
    ):
        running.await_counting()

    assert caught.value.exit_code == 2


def test_one_that_says_no_more_and_does_not_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("stuck", "utf-8")
    script = "import os, time; os.close(1); time.sleep(30)"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        running = Traffic(process, Load(1, 1.0), tmp_path / "result", tmp_path / "log")
        with pytest.raises(ServerStartError, match=r"ended too early \(exit code -9\)"):
            running.await_counting()

    assert process.returncode == -9
