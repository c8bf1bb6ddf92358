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
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.capture.readings import pool
from tests.load.conftest import CountingServer, Generator, told_by_probe

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

_WITHIN_SECONDS = 20.0
_OTHER_CLASS = """

class Newcomer(HarnessUser):
"""
_ELSEWHERE = """
from locust import events

@events.test_start.add_listener
def elsewhere(environment, **_):
    if environment.runner.state == "ready":
        environment.host = "http://192.0.2.1"
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
        assert self.ask_to_swarm(**form)["success"]

    def ask_to_swarm(self, **form: str) -> Any:  # noqa: ANN401 - JSON
        fields = {"user_count": "3", "spawn_rate": "100", **form}
        data = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.url + "/swarm", data)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def stop(self) -> None:
        request = urllib.request.Request(self.url + "/stop", b"", method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
            assert json.load(answer)["success"]

    @property
    def stats(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.get("/stats/requests"))

    def await_state(self, state: str) -> None:
        self.await_stats(state=state)

    def await_stats(self, **wanted: object) -> None:
        until = time.monotonic() + _WITHIN_SECONDS
        while (stats := self.stats) | wanted != stats:
            assert time.monotonic() < until, self.stats
            time.sleep(0.05)

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=30)
        return said


@pytest.fixture
def web(generator: Generator) -> Iterator[WebUi]:
    """The web UI on a free port, of two scenarios."""
    with web_of(generator) as running:
        yield running


@contextmanager
def web_of(generator: Generator) -> Iterator[WebUi]:
    """The same, for a test that says more of its Locust."""
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


def test_a_second_run_is_not_judged_by_what_the_first_has_done_to_the_pool(
    server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe()
    with web_of(replace(generator, token="any")) as web:
        web.swarm()
        assert server.some.wait(20)
        server.probe = told_by_probe(pool(timeouts=36))
        web.stop()
        web.await_state("stopped")
        web.swarm()
        web.await_state("running")
        web.stop()
        web.await_state("stopped")

        said = web.end()

    assert "harness: pool   pass" in said
    assert web.process.returncode == 0


def test_a_run_is_judged_by_what_it_has_done_to_the_pool_itself(
    server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe()
    with web_of(replace(generator, token="any")) as web:
        web.swarm()
        assert server.some.wait(20)
        server.probe = told_by_probe(pool(timeouts=36))
        web.stop()
        web.await_state("stopped")

        said = web.end()

    assert "harness: pool   fail" in said
    assert "36 timeouts" in said


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


@pytest.mark.parametrize("host", ["http://192.0.2.1", "http://192.0.2.1/", "ftp://127.0.0.1"])
def test_whoever_names_somebody_elses_host_is_answered_why_not(
    host: str, web: WebUi, server: CountingServer
) -> None:
    told = web.ask_to_swarm(host=host)
    state = web.stats["state"]
    web.swarm(host=server.url)
    web.await_state("running")
    said = web.end()

    assert not told["success"]
    assert ("is not this machine" in told["message"]) == ("192.0.2.1" in host)
    assert told["message"] in said
    assert state == "ready"
    assert "Traceback" not in said
    assert len(server.answered) > 0


def test_a_scenario_cannot_name_somebody_elses_host(
    server: CountingServer, generator: Generator
) -> None:
    text = generator.scenario.read_text("utf-8")
    generator.scenario.write_text(_ELSEWHERE + text, "utf-8")
    with web_of(generator) as web:
        web.swarm()
        web.await_state("stopped")

        web.swarm(host=server.url)
        web.await_state("running")
        said = web.end()

    assert "http://192.0.2.1 is not this machine" in said
    assert "Traceback" not in said
    assert len(server.answered) > 0


def test_other_classes_wait_for_the_next_run(web: WebUi, server: CountingServer) -> None:
    web.swarm(user_classes="Newcomer")
    web.await_state("running")

    told = web.ask_to_swarm(user_classes="Visitor")
    web.swarm(user_classes="Newcomer", user_count="4")
    web.await_stats(state="running", user_count=4)
    said = web.end()

    assert told["message"].startswith("this run has users of Newcomer to its end: stop it")
    assert set(server.answered) == {"/other"}
    assert "harness: load   interrupted" in said
    assert web.process.returncode == 130


def test_the_form_does_not_show_what_the_command_line_alone_says(web: WebUi) -> None:
    page = web.get("/")

    assert "i_own_this_target" not in page


@pytest.mark.parametrize("option", ["i_own_this_target", "harness_headers"])
def test_the_form_cannot_say_what_the_command_line_alone_says(
    option: str, web: WebUi, server: CountingServer
) -> None:
    told = web.ask_to_swarm(host="http://192.0.2.1", **{option: "true"})
    assert not web.ask_to_swarm(host="http://192.0.2.1")["success"]

    web.swarm(host=server.url)
    web.await_state("running")
    said = web.end()

    assert not told["success"]
    assert told["message"] == f"{option} is said on the command line, or not at all"
    assert told["message"] in said
    assert "http://192.0.2.1 is not this machine" in said


@pytest.mark.parametrize(("option", "value"), [("longest", "86400"), ("result", "{folder}/other")])
def test_the_form_raises_no_limit_and_names_no_file(
    option: str, value: str, web: WebUi, generator: Generator
) -> None:
    folder = generator.scenario.parent
    before = {file.name for file in folder.iterdir()}

    told = web.ask_to_swarm(**{option: value.format(folder=folder)})
    web.swarm()
    web.await_state("running")
    web.end()

    assert not told["success"]
    assert {file.name for file in folder.iterdir()} - before <= {"result.json", "__pycache__"}


@pytest.mark.parametrize("host", ["http://192.0.2.1", "{own}/elsewhere", ""])
def test_users_that_are_added_to_a_run_load_no_other_host(
    host: str, web: WebUi, server: CountingServer
) -> None:
    web.swarm(user_count="1")
    web.await_stats(state="running", user_count=1)

    told = web.ask_to_swarm(user_count="3", host=host.format(own=server.url))
    web.swarm(user_count="2", host=server.url)
    web.await_stats(state="running", user_count=2)
    said = web.end()

    assert not told["success"]
    assert told["message"] in said
    assert f"this run loads {server.url} to its end" in said
    assert set(server.answered) == {"/pages/1", "/other"}


def test_a_field_that_was_emptied_loads_what_was_loaded_before(
    web: WebUi, server: CountingServer, generator: Generator
) -> None:
    web.swarm(host="")
    assert server.some.wait(20)
    web.end()

    assert generator.result.tally.failures == 0


def test_the_probe_is_asked_again_where_a_run_returns_to_its_host(
    server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe()
    with web_of(replace(generator, token="any")) as web:
        for host in (server.url, f"{server.url}/elsewhere", server.url):
            web.swarm(host=host)
            web.await_state("running")
            web.stop()
            web.await_state("stopped")

        said = web.end()

    assert "harness: pool   pass" in said


def test_the_probe_is_not_asked_for_another_host(
    server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe()
    with web_of(replace(generator, token="any")) as web:
        web.swarm(host=f"{server.url}/elsewhere")
        web.await_state("running")
        web.stop()
        web.await_state("stopped")

        said = web.end()

    assert "harness: pool   skipped" in said
    assert server.questions == 0


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
