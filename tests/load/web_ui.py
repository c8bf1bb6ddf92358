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
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.load.conftest import Generator

__all__ = ["WebUi", "web_of"]

_WITHIN_SECONDS = 20.0
_LOOPBACK = "0100007F:"
"""Where the web UI listens, as the kernel writes it; a master listens for its workers anywhere."""
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
        assert self.ask_to_swarm(**form)["success"]

    def ask_to_swarm(self, **form: str) -> Any:  # noqa: ANN401 - JSON
        fields = {"user_count": "3", "spawn_rate": "100", **form}
        data = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.url + "/swarm", data)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
            return json.load(answer)

    def ask_to_set(self, **settings: object) -> tuple[int, Any]:
        """Settings of a class, as its dialog sends them."""
        data = json.dumps({"user_class_name": "Visitor", **settings}).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/user", data, kind)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
                return answer.status, json.load(answer)
        except HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

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


@contextmanager
def web_of(generator: Generator, *more: str) -> Iterator[WebUi]:
    """It on a free port, of two scenarios; with more of Locust's arguments."""
    arguments = ["--host", generator.url, "--result", str(generator.result_file)]
    options = ("--web-host", "127.0.0.1", "--web-port", "0", "--stop-timeout", "5")
    text = generator.scenario.read_text("utf-8")
    other = _OTHER_CLASS + text.partition("class Visitor")[2].partition("\n")[2]
    generator.scenario.write_text(text + other.replace("/pages/{number}", "/other"), "utf-8")
    with generator.started(*arguments, *options, "--loglevel", "DEBUG", *more) as process:
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
        int(row[1].removeprefix(_LOOPBACK), 16)
        for row in fields
        if row[1].startswith(_LOOPBACK) and row[3] == "0A" and row[9] in sockets
    ]
