"""Locust's web UI, asked as a browser asks it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.load.conftest import CountingServer, Generator

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

_WITHIN_SECONDS = 20.0
_OTHER_CLASS = """

class Newcomer(HarnessUser):
"""


class WebUi:
    """A running web UI."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own
            text: str = answer.read().decode()
        return text

    def swarm(self, **form: str) -> None:
        fields = {"user_count": "3", "spawn_rate": "100", **form}
        data = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.url + "/swarm", data)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
            assert json.load(answer)["success"]

    def stop(self) -> None:
        request = urllib.request.Request(self.url + "/stop", b"", method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
            assert json.load(answer)["success"]

    @property
    def stats(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.get("/stats/requests"))

    def await_state(self, state: str) -> None:
        until = time.monotonic() + _WITHIN_SECONDS
        while self.stats["state"] != state:
            assert time.monotonic() < until, self.stats
            time.sleep(0.05)

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=30)
        return said


@pytest.fixture
def web(generator: Generator) -> Iterator[WebUi]:
    """The web UI on a free port, of two scenarios."""
    arguments = ["--host", generator.url, "--result", str(generator.result_file)]
    options = ("--web-host", "127.0.0.1", "--web-port", "0", "--stop-timeout", "5")
    text = generator.scenario.read_text("utf-8")
    other = _OTHER_CLASS + text.partition("class Visitor")[2].partition("\n")[2]
    generator.scenario.write_text(text + other.replace("/pages/{number}", "/other"), "utf-8")
    with generator.started(*arguments, *options, "--loglevel", "DEBUG") as process:
        yield WebUi(process, _address(process))


def _address(process: subprocess.Popen[str]) -> str:
    """Where it listens: port 0 is the kernel's choice, and Locust does not tell which it was."""
    until = time.monotonic() + _WITHIN_SECONDS
    while time.monotonic() < until:
        for port in _listening(process.pid):
            return f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    pytest.fail("no web UI")


def _listening(pid: int) -> list[int]:
    try:
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        rows = Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]
    except OSError:
        return []
    sockets = {found[1] for link in links if (found := re.match(r"socket:\[(\d+)\]", link))}
    fields = [row.split() for row in rows]
    return [
        int(row[1].rpartition(":")[2], 16) for row in fields if row[3] == "0A" and row[9] in sockets
    ]


def test_a_second_run_is_counted_from_nothing(
    web: WebUi, server: CountingServer, generator: Generator
) -> None:
    web.swarm()
    assert server.some.wait(20)
    web.stop()
    web.await_state("stopped")
    before = len(server.answered)

    web.swarm()
    web.await_state("running")
    web.stop()
    web.await_state("stopped")
    said = web.end()

    assert before > 0
    assert generator.result.tally.requests == len(server.answered) - before
    assert "harness: load   pass" in said
    assert web.process.returncode == 0


def test_the_class_picker_lists_the_scenarios(web: WebUi) -> None:
    page = web.get("/")

    assert '"available_user_classes": ["Newcomer", "Visitor"]' in page
    assert '"show_userclass_picker": true' in page


def test_a_class_that_is_picked_runs_alone(web: WebUi, server: CountingServer) -> None:
    web.swarm(user_classes="Newcomer")
    assert server.some.wait(20)
    web.stop()
    web.await_state("stopped")

    assert set(server.answered) == {"/other"}


def test_the_form_cannot_name_somebody_elses_host(web: WebUi, server: CountingServer) -> None:
    web.swarm(host="http://192.0.2.1")
    web.await_state("stopped")

    web.swarm(host=server.url)
    web.await_state("running")
    said = web.end()

    assert "http://192.0.2.1 is not this machine" in said
    assert len(server.answered) > 0


def test_ctrl_c_without_a_run_is_no_verdict(web: WebUi, generator: Generator) -> None:
    said = web.end()

    assert "harness:" not in said
    assert web.process.returncode == 0
    assert not generator.result_file.exists()


def test_ctrl_c_during_a_run_interrupts_it(web: WebUi, server: CountingServer) -> None:
    web.get("/")  # which makes Locust parse its options again
    web.swarm()
    assert server.some.wait(20)

    said = web.end()

    assert "harness: load   interrupted" in said
    assert web.process.returncode == 130
