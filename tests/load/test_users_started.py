"""Users that were asked for: fewer are told where there was no time, and not where they left."""

from __future__ import annotations

import pytest

from tests.load.conftest import CountingServer, Generator
from tests.load.web_ui import web_of

_LEAVES = """
from locust import events
from locust.exception import StopUser

@events.request.add_listener
def leave(**_):
    raise StopUser
"""
_PROCESSES = pytest.mark.parametrize(
    "processes", [(), ("--processes", "2")], ids=["one", "workers"]
)


@_PROCESSES
def test_a_run_too_short_to_start_all_users_says_so(
    processes: tuple[str, ...], generator: Generator
) -> None:
    code, said = generator.run("-u", "9", "-r", "1", "-t", "4s", *processes)

    result = generator.result
    assert 0 < result.users < 9
    assert f"harness: users  warn         {9 - result.users} more were asked for" in said
    assert "harness: load   pass" in said
    assert code == 0


@_PROCESSES
def test_users_that_leave_of_their_own_accord_were_there(
    processes: tuple[str, ...], server: CountingServer, generator: Generator
) -> None:
    text = generator.scenario.read_text(encoding="utf-8")
    generator.scenario.write_text(text + _LEAVES, encoding="utf-8")

    code, said = generator.run("-t", "4s", *processes)

    assert len(server.answered) == 4
    assert "harness: load   pass         4 requests by 4 users" in said
    assert "harness: counts" not in said
    assert "harness: users" not in said
    assert code == 0


def test_nobody_is_told_of_users_where_the_web_ui_stops_a_run_early(
    server: CountingServer, generator: Generator
) -> None:
    with web_of(generator) as web:
        web.swarm(user_count="9", spawn_rate="1")
        assert server.some.wait(20)
        web.stop()
        web.await_state("stopped")

        said = web.end()

    assert "harness: load   pass" in said
    assert "harness: users" not in said
    assert web.process.returncode == 0
