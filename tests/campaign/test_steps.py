"""Traffic in steps: nobody sends while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.campaign.scenario import Scenario
from harness.campaign.steps import STEPPED, Step, steps
from harness.campaign.traffic import Load, Traffic, traffic
from harness.errors import ServerStartError
from tests.load.conftest import CountingServer

_USER = """
from locust import constant, task
from harness.load.users import HarnessUser

class Pages(HarnessUser):
    wait_time = constant(0)

    @task
    def page(self) -> None:
        self.get("/pages?size={size}", size=self.page_size)
"""
_OPTIONS = ("--count-items", "--page-size", "7", STEPPED)


@contextmanager
def stepping(
    folder: Path, server: CountingServer, *, users: int = 1, prints: str = ""
) -> Iterator[Traffic]:
    """A user who never pauses by himself; counting has begun."""
    file = folder / "pages.py"
    file.write_text(f"print({prints!r}, flush=True)\n{_USER}", encoding="utf-8")
    load = Load(users, 1.0, options=_OPTIONS)
    with traffic(Scenario("browse", file), load, host=server.url) as running:
        running.await_counting()
        yield running


def test_the_next_request_is_sent_when_the_next_step_is_asked_for(
    tmp_path: Path, server: CountingServer
) -> None:
    seen = []
    with stepping(tmp_path, server) as running:
        for number, _ in enumerate(steps(running), start=1):
            seen.append((number, len(server.answered)))
        running.await_end()
        result = running.result()

    assert seen == [(number, number) for number in range(1, len(seen) + 1)]
    assert result.tally.requests == len(seen) > 1


def test_a_file_that_prints_is_stepped_through_all_the_same(
    tmp_path: Path, server: CountingServer
) -> None:
    with stepping(tmp_path, server, prints="pages of 7") as running:
        count = sum(1 for _ in steps(running))
        result = running.result()

    assert result.tally.requests == count > 0


def test_a_step_tells_what_was_answered(tmp_path: Path, server: CountingServer) -> None:
    server.text = '{"items": [1, 2, 3], "total": 20}'

    with stepping(tmp_path, server) as running:
        step = next(iter(steps(running)))

    assert step == Step("GET /pages", "ok", 3)
    assert server.answered == ["/pages?size=7"]


def test_items_are_counted_by_route(tmp_path: Path, server: CountingServer) -> None:
    server.text = "[1, 2, 3]"

    with stepping(tmp_path, server) as running:
        count = sum(1 for _ in steps(running))
        result = running.result()

    counted = result.tally.items["GET /pages"]
    assert (counted.answers, counted.items) == (count, 3 * count)


def test_an_interrupt_does_not_wait_for_somebody_who_looks_no_more(
    tmp_path: Path, server: CountingServer
) -> None:
    with stepping(tmp_path, server) as running:
        next(iter(steps(running)))
        began_seconds = time.monotonic()
        running.interrupt()
        running.result()
        took_seconds = time.monotonic() - began_seconds

    assert took_seconds < running.load.stop_seconds


def test_steps_are_for_one_user(tmp_path: Path, server: CountingServer) -> None:
    with (
        pytest.raises(ServerStartError) as raised,
        stepping(tmp_path, server, users=2),
    ):
        pass

    assert "--stepped is for one user" in raised.value.where
