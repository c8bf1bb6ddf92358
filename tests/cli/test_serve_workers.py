"""``harness serve --workers N``: one address, several processes, each with counts of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from harness.errors import ServerStartError
from harness.served import ServedApplication, Worker, owned_process, serving
from harness.statuses import read_status, told_behind
from tests.processes import started
from tests.rig.projects import write_project

TOKEN = "secret"
WITHIN_SECONDS = 30.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("served"), name="served_shop")


@contextmanager
def command(project: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a user starts it, in the project's folder."""
    with started(
        [sys.executable, "-m", "harness", "serve", *options],
        folder=project,
        environment={**os.environ, "HARNESS_TOKEN": TOKEN},
    ) as process:
        yield process


def announced(process: subprocess.Popen[str]) -> ServedApplication:
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    return ServedApplication(told["url"], TOKEN, tuple(map(_worker, told["workers"])))


def _worker(told: dict[str, object]) -> Worker:
    return Worker(int(str(told["pid"])), str(told["url"]))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def await_ended(pids: list[int]) -> list[int]:
    until = time.monotonic() + WITHIN_SECONDS
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def test_each_process_tells_its_own_counts_at_an_address_of_its_own(project: Path) -> None:
    with command(project, "--workers", "2", "--json") as process:
        served = announced(process)
        for worker in served.workers[:1]:
            httpx.post(f"{worker.url}/notes").raise_for_status()
        statuses = served.statuses()

    first, second = (worker.pid for worker in served.workers)
    assert [statuses[pid]["pid"] for pid in (first, second)] == [first, second]
    assert statuses[first]["routes"]["POST /notes"]["requests"] == 1
    assert statuses[second]["routes"] == {}


def test_all_processes_serve_at_the_common_address_and_none_of_their_counts_is_missing(
    project: Path,
) -> None:
    with command(project, "--workers", "2", "--json") as process:
        served = announced(process)
        for _ in range(30):
            httpx.post(f"{served.url}/notes").raise_for_status()
        statuses = served.statuses()

    counts = [
        status["routes"].get("POST /notes", {}).get("requests", 0) for status in statuses.values()
    ]
    assert sum(counts) == 30


def test_processes_behind_one_address_are_found_by_asking_again(project: Path) -> None:
    with command(project, "--workers", "3", "--json") as process:
        served = announced(process)
        with busy(served):
            told = told_behind(served.url, TOKEN)

    assert set(told.statuses) == {worker.pid for worker in served.workers}


@contextmanager
def busy(served: ServedApplication) -> Iterator[None]:
    """All processes have something to do, as under load: the kernel spreads connections then."""
    ended = threading.Event()

    def ask(url: str) -> None:
        while not ended.is_set():
            httpx.get(f"{url}/sleep?seconds=0")

    threads = [threading.Thread(target=ask, args=[worker.url]) for worker in served.workers]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        yield


def test_one_process_is_told_in_the_same_form(project: Path) -> None:
    with command(project, "--json") as process:
        served = announced(process)
        status = read_status(served.url, TOKEN)

    (worker,) = served.workers
    assert (worker.url, worker.pid) == (served.url, status["pid"])


def test_people_are_told_where_each_status_is(project: Path) -> None:
    with command(project, "--workers", "2") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3 + 1)]

    told = [line for line in lines if line.startswith("status of process")]
    assert len(told) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_processes_end_with_the_command(project: Path, number: int) -> None:
    with command(project, "--workers", "2", "--json") as process:
        pids = [worker.pid for worker in announced(process).workers]
        assert all(is_alive(pid) for pid in pids)
        os.kill(process.pid, number)
        process.wait(60)

    assert await_ended(pids) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_told_once_for_all(project: Path, number: int) -> None:
    with command(project, "--workers", "2", "--json") as process:
        announced(process)
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=60)

    assert errors.count("harness: interrupted") == 1
    assert process.returncode == 130


def test_a_worker_that_ends_by_itself_ends_the_command(project: Path) -> None:
    with command(project, "--workers", "2", "--json") as process:
        served = announced(process)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{served.workers[0].url}/die")
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 3
    assert f"worker {served.workers[0].pid} of 2 ended with exit code 7" in errors
    assert "[worker-ended]" in errors
    assert await_ended([worker.pid for worker in served.workers]) == []


def test_an_application_that_cannot_be_imported_is_told_once_for_all(tmp_path: Path) -> None:
    write_project(tmp_path, name="broken_shop")
    (tmp_path / "broken_shop.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    with command(tmp_path, "--workers", "2", "--json") as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert errors.count("[target-import]") == 1


def test_a_start_that_takes_too_long_is_given_up(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)

    with (
        pytest.raises(ServerStartError, match="did not answer within"),
        serving(environment={}, start_seconds=0.1),
    ):
        pass


def test_what_an_application_prints_does_not_fill_its_owners_pipe(tmp_path: Path) -> None:
    write_project(tmp_path, name="loud_shop")
    file = tmp_path / "loud_shop.py"
    file.write_text(f"{file.read_text('utf-8')}\nprint('x' * 200_000)\n", encoding="utf-8")
    with command(tmp_path, "--json") as process, drained(process):
        served = announced(process)

        assert httpx.post(f"{served.url}/notes").status_code == 200


@contextmanager
def drained(process: subprocess.Popen[str]) -> Iterator[None]:
    """Somebody reads what it says to people; only the other pipe is left alone."""
    assert process.stderr is not None
    thread = threading.Thread(target=process.stderr.read)
    thread.start()
    try:
        yield
    finally:
        process.kill()
        thread.join()


def test_a_child_ends_with_the_block() -> None:
    with owned_process([sys.executable, "-c", "input()"], environment={}) as process:
        assert is_alive(process.pid)

    assert not is_alive(process.pid)
