"""A server that counts, and Locust as a process of its own in front of it.

No database: what is tested here is on the generator's side alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.load.result import LoadResult
from harness.middleware import STATUS_PATH
from tests.capture.readings import pool, status

_SCENARIO = """
from locust import constant, task
from harness.load.users import HarnessUser

class Visitor(HarnessUser):
    wait_time = constant(0.01)

    @task
    def front_page(self) -> None:
        self.get("/pages/{number}", number=1)
"""
_PATIENCE_SECONDS = 60.0
_LEFT_SECONDS = 5.0


@dataclass
class CountingServer:
    """An HTTP server in a thread of the test."""

    url: str = ""
    status: HTTPStatus = HTTPStatus.OK
    seconds: float = 0.0
    """How long it takes to answer."""
    text: str = "{}"
    """What it answers."""
    probe: dict[str, Any] | None = None
    """The status that it tells, to whatever token."""
    is_probe_hidden: bool = False
    """Whether whoever asks for the status is told that there is none."""
    probe_answers: threading.Event = field(default_factory=threading.Event)
    """Cleared: questions for the status wait for it."""
    probe_asked: threading.Event = field(default_factory=threading.Event)
    """Set by a question for the status."""
    questions: int = 0
    """For the status."""
    openapi: str = '{"paths": {"/pages": {"get": {}}}}'
    answered: list[str] = field(default_factory=list)
    some: threading.Event = field(default_factory=threading.Event)
    """Set by the first request."""

    def __post_init__(self) -> None:
        self.probe_answers.set()


@pytest.fixture
def server() -> Iterator[CountingServer]:
    """The server; answers with what is set."""
    counting = CountingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/openapi.json":
                self._answer(HTTPStatus.OK, counting.openapi)
                return
            if self.path == STATUS_PATH and (counting.probe or counting.is_probe_hidden):
                self._tell_status()
                return
            counting.some.set()
            threading.Event().wait(counting.seconds)
            counting.answered.append(self.path)
            self._answer(counting.status, counting.text)

        def _tell_status(self) -> None:
            counting.questions += 1
            counting.probe_asked.set()
            counting.probe_answers.wait(_PATIENCE_SECONDS)
            code = HTTPStatus.NOT_FOUND if counting.is_probe_hidden else HTTPStatus.OK
            self._answer(code, json.dumps(counting.probe))

        def _answer(self, status: HTTPStatus, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that leaves is no fault of the server."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        counting.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield counting
        counting.probe_answers.set()
        listening.shutdown()
        thread.join()


def told_by_probe(*pools: dict[str, Any]) -> dict[str, Any]:
    """The status of a process with these pools, or with one that nobody has used."""
    return status(pid=1, failure=None, uptime_seconds=600.0, pools=list(pools) or [pool()])


@dataclass(frozen=True)
class Generator:
    """Starts Locust in front of the server."""

    url: str
    scenario: Path
    result_file: Path
    environment: Mapping[str, str]
    token: str = ""

    @contextmanager
    def started(
        self, *arguments: str, errors: int = subprocess.STDOUT
    ) -> Iterator[subprocess.Popen[str]]:
        """A Locust that runs; whatever is left of its group is killed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(self.scenario), *arguments],
            cwd=self.scenario.parent,
            env={**self.environment, "HARNESS_TOKEN": self.token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        with ExitStack() as stack:
            stack.enter_context(process)
            stack.callback(_kill_group, process.pid)
            yield process

    def headless(self, *arguments: str) -> list[str]:
        """Arguments of a run without the web UI, whose result is written."""
        with socket.create_server(("127.0.0.1", 0)) as taken:  # Locust's own port is everybody's
            port = str(taken.getsockname()[1])
        return [
            *("--headless", "--only-summary", "-u", "4", "-r", "100", "--host", self.url),
            *("--master-bind-port", port, "--master-port", port),
            *("--result", str(self.result_file), *arguments),
        ]

    def run(self, *arguments: str) -> tuple[int, str]:
        """A run to its end; returns its exit code and what it said."""
        with self.started(*self.headless(*arguments)) as process:
            said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
            return process.returncode, said

    @property
    def result(self) -> LoadResult:
        """What the run came to."""
        return LoadResult.read(self.result_file)


@pytest.fixture
def generator(
    server: CountingServer, tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> Generator:
    """Locust with four users of one page."""
    scenario = tmp_path / "visitors.py"
    scenario.write_text(_SCENARIO, encoding="utf-8")
    return Generator(server.url, scenario, tmp_path / "result.json", unmeasured_environment)


@pytest.fixture
def members() -> Callable[[int], list[int]]:
    """Tells which processes of a group are left, once it has had time to end."""

    def left(group: int) -> list[int]:
        until = time.monotonic() + _LEFT_SECONDS
        while (found := _members(group)) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    return left


def _members(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def _kill_group(group: int) -> None:
    for pid in _members(group):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, signal.SIGKILL)
