"""Runs that are started in Locust's web UI, and what its form may say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.capture.readings import pool
from tests.load.conftest import CountingServer, Generator, told_by_probe
from tests.load.web_ui import WebUi, web_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

_ELSEWHERE = """
from locust import events

@events.test_start.add_listener
def elsewhere(environment, **_):
    if environment.runner.state == "ready":
        environment.host = "http://192.0.2.1"
"""
_OWN_OPTION = """
from locust import events

@events.init_command_line_parser.add_listener
def own(parser):
    parser.add_argument("--shop", default="first")

@events.test_start.add_listener
def tell(environment, **_):
    print("shop:", environment.parsed_options.shop, flush=True)
"""


@pytest.fixture
def web(generator: Generator) -> Iterator[WebUi]:
    """The web UI on a free port, of two scenarios."""
    with web_of(generator) as running:
        yield running


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


def test_a_worker_that_was_gone_before_the_run_is_not_missing_in_it(
    server: CountingServer, generator: Generator
) -> None:
    with web_of(generator, "--processes", "2") as web:
        web.await_stats(worker_count=2)
        psutil.Process(web.process.pid).children()[0].kill()
        web.await_stats(worker_count=1)

        web.swarm()
        assert server.some.wait(20)
        web.stop()
        web.await_state("stopped")
        said = web.end()

    assert "harness: load   pass" in said
    assert "harness: counts" not in said
    assert generator.result.workers == 1


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

    assert '"extra_options": {}' in page


def test_a_plan_that_is_edited_meanwhile_does_not_end_the_run(
    server: CountingServer, generator: Generator, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('[["GET /pages", "/pages"]]', encoding="utf-8")
    with web_of(generator, "--plan", str(plan)) as web:
        web.swarm()
        assert server.some.wait(20)
        plan.write_text('[["GET /pages", ', encoding="utf-8")

        page = web.get("/")
        web.stop()
        web.await_state("stopped")
        said = web.end()

    assert '"available_user_classes": ["Newcomer", "Visitor"]' in page
    assert "harness: load   pass" in said
    assert web.process.returncode == 0


def test_the_form_says_what_a_scenario_has_added_to_the_page(
    server: CountingServer, generator: Generator
) -> None:
    text = generator.scenario.read_text("utf-8")
    generator.scenario.write_text(_OWN_OPTION + text, "utf-8")
    with web_of(generator) as web:
        web.swarm(shop="second", run_time="60s", shape_class="Default", profile="")
        assert server.some.wait(20)
        said = web.end()

    assert "shop: second" in said


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"host": "http://127.0.0.1:1"}, "users load {host}: another host is named where a run"),
        ({"host": ["http://127.0.0.1:1"]}, "users load {host}: another host is named where a run"),
        ({"weight": 2, "default_headers": {}}, "'default_headers' is said in the class, or not"),
    ],
)
def test_a_class_is_led_to_no_other_host(
    settings: dict[str, Any], why: str, web: WebUi, server: CountingServer, generator: Generator
) -> None:
    web.swarm(user_count="1")
    assert server.some.wait(20)

    status, told = web.ask_to_set(**settings)
    web.swarm(user_count="6")
    web.await_stats(state="running", user_count=6)
    web.stop()
    web.await_state("stopped")
    said = web.end()

    assert status == HTTPStatus.BAD_REQUEST
    assert told["message"].startswith(why.format(host=server.url))
    assert told["message"] in said
    assert generator.result.tally.failures == 0


@pytest.mark.parametrize("host", [None, "", "{own}"])
def test_a_class_is_set_as_its_dialog_does(
    host: str | None, web: WebUi, server: CountingServer
) -> None:
    named = host.format(own=server.url) if host else host

    status, _ = web.ask_to_set(host=named, weight=3, fixed_count=0, tasks=["front_page"])
    page = web.get("/")

    assert status == HTTPStatus.CREATED
    assert '"weight": 3' in page


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
    assert told["message"] == f"{option!r} is said on the command line, or not at all"
    assert told["message"] in said
    assert "http://192.0.2.1 is not this machine" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("longest", "86400"),
        ("result", "{folder}/other"),
        ("html_file", "{folder}/made/page.html"),
        ("json_file", "{folder}/made/stats.json"),
        ("write", '{{"path": "http://127.0.0.1:1/other"}}'),
    ],
)
def test_the_form_raises_no_limit_and_names_no_file(
    option: str, value: str, web: WebUi, generator: Generator
) -> None:
    folder = generator.scenario.parent
    before = {file.name for file in folder.iterdir()}

    told = web.ask_to_swarm(**{option: value.format(folder=folder)})
    web.swarm()
    web.await_state("running")
    web.end()

    assert told["message"] == f"{option!r} is said on the command line, or not at all"
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
