"""A headless Locust that is told neither users nor time: it holds the probes of its classes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.load.conftest import CountingServer, Generator

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

# One class for a probe that can be held anywhere, one for a probe that needs a server of ours.
_SCENARIOS = """
from locust import constant, task
from harness.load.users import HarnessUser

class Reader(HarnessUser):
    wait_time = constant(0.02)

    @task
    def page(self) -> None:
        self.get("/read")

class Sweep(HarnessUser):
    probe = "pool_sizing"
    wait_time = constant(0.02)

    @task
    def page(self) -> None:
        self.get("/sweep")
"""

_OPTIONS = """
from locust import events

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--page", default="/read")
    parser.add_argument("--pin", default="", is_secret=True, env_var="SHOP_PIN")
"""


@pytest.fixture
def scenarios(generator: Generator) -> Generator:
    """Locust with two classes, each for another probe."""
    generator.scenario.write_text(_SCENARIOS, "utf-8")
    return generator


def campaign(generator: Generator, *arguments: str) -> tuple[int, str]:
    """What a short campaign exits with, and says."""
    host = ("--headless", "--short", "--host", generator.url)
    with generator.started(*host, *arguments) as process:
        said, _ = process.communicate(timeout=90)
        return process.returncode, said


def told(generator: Generator, folder: str = "harness-report") -> Any:  # noqa: ANN401 - JSON
    return json.loads((generator.scenario.parent / folder / "load.json").read_text("utf-8"))


def test_all_probes_are_held_and_the_exit_code_is_the_verdict(
    scenarios: Generator, server: CountingServer
) -> None:
    code, said = campaign(scenarios)

    probes = {item["probe"]: item for item in told(scenarios)["probes"]}
    assert probes["load"]["verdict"] == "pass"
    assert probes["pool_sizing"]["verdict"] == "skipped"
    assert "was not started here" in probes["pool_sizing"]["summary"]
    assert set(server.answered) == {"/read"}
    assert code == 0, said


def test_each_run_gets_the_options_that_its_file_has_added(
    scenarios: Generator, server: CountingServer
) -> None:
    text = _SCENARIOS.replace('self.get("/read")', "self.get(self.environment.parsed_options.page)")
    scenarios.scenario.write_text(f"{_OPTIONS}{text}", "utf-8")

    code, said = campaign(scenarios, "--page", "/chosen", "--pin", "1234", "Reader")

    assert set(server.answered) == {"/chosen"}
    assert code == 0, said


def test_an_option_of_one_file_is_refused_where_another_file_is_run_too(
    scenarios: Generator, server: CountingServer
) -> None:
    other = scenarios.scenario.with_name("others.py")
    other.write_text(f"{_OPTIONS}{_SCENARIOS.replace('Reader', 'Other')}", "utf-8")
    scenarios.scenario.write_text(_SCENARIOS.partition("class Sweep")[0], "utf-8")
    both = replace(scenarios, scenario=other.parent)
    arguments = ("--headless", "--short", "--host", both.url, "--page", "/chosen")

    with both.started(*arguments) as process:
        said, _ = process.communicate(timeout=90)

    assert "visitors.py does not take --page=/chosen, and probes run it by itself" in said
    assert process.returncode == 2
    assert server.answered == []


def test_a_secret_of_the_environment_stays_there(
    scenarios: Generator, server: CountingServer
) -> None:
    scenarios.scenario.write_text(f"{_OPTIONS}{_SCENARIOS}", "utf-8")
    secret = replace(scenarios, environment={**scenarios.environment, "SHOP_PIN": "hush"})

    with secret.started("--headless", "--short", "--host", secret.url, "Reader") as process:
        assert server.some.wait(60)
        shown = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        words = [word for each in shown for word in each.cmdline()]
        process.communicate(timeout=90)

    assert "harness" in words
    assert [word for word in words if "hush" in word] == []


def test_class_names_choose_among_the_probes(scenarios: Generator, server: CountingServer) -> None:
    code, _ = campaign(scenarios, "Sweep", "--output", "elsewhere")

    assert [item["probe"] for item in told(scenarios, "elsewhere")["probes"]] == ["pool_sizing"]
    assert server.answered == []
    assert code == 0


def test_with_users_and_time_the_steady_mix_runs_alone(
    scenarios: Generator, server: CountingServer
) -> None:
    code, said = scenarios.run("-t", "1s")

    assert "harness: load   pass" in said
    assert set(server.answered) == {"/read"}
    assert code == 0


def test_with_users_and_time_a_class_that_is_named_runs(
    scenarios: Generator, server: CountingServer
) -> None:
    code, _ = scenarios.run("-t", "1s", "Sweep")

    assert set(server.answered) == {"/sweep"}
    assert code == 0


def test_where_no_class_is_of_the_steady_mix_all_run(
    scenarios: Generator, server: CountingServer
) -> None:
    text = _SCENARIOS.replace('probe = "pool_sizing"', "pass")
    other = text.replace("    wait_time", '    probe = "soak"\n    wait_time')
    scenarios.scenario.write_text(other, "utf-8")

    scenarios.run("-t", "1s")

    assert set(server.answered) == {"/read", "/sweep"}


def test_each_probe_gets_worker_processes_where_they_are_asked_for(
    scenarios: Generator, server: CountingServer, members: Callable[[int], list[int]]
) -> None:
    server.status = HTTPStatus.INTERNAL_SERVER_ERROR
    arguments = ("--headless", "--short", "--host", scenarios.url, "--processes", "2", "Reader")
    with scenarios.started(*arguments, "--master-bind-port", "0") as process:
        assert server.some.wait(60)
        of_the_first = [
            child.pid
            for child in psutil.Process(process.pid).children()
            if os.getpgid(child.pid) == process.pid
        ]
        said, _ = process.communicate(timeout=90)

        assert members(process.pid) == []
    assert of_the_first == []
    (load, _) = told(scenarios)["probes"]
    assert load["verdict"] == "fail"
    assert process.returncode == 1, said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--result", "result.json"), "--result: of a single run"),
        (("--arrival-rate", "9", "--warm-up", "2s"), "--arrival-rate, --warm-up: of a single run"),
        (("--exclude-tags", "danger"), "--exclude-tags: of a single run"),
        (("--html", "run.html", "--csv", "run"), "--csv, --html: of a single run"),
        (("--stop-timeout", "5", "--longest", "1h"), "--stop-timeout, --longest: of a single run"),
        (("--master", "--master-bind-port", "0"), "--master without -u and -t"),
    ],
    ids=["result", "several", "tags", "files", "times", "master"],
)
def test_what_makes_no_sense_for_all_probes_is_refused(
    arguments: tuple[str, ...], why: str, scenarios: Generator, server: CountingServer
) -> None:
    code, said = campaign(scenarios, *arguments)

    assert why in said
    assert "Traceback" not in said
    assert code == 2
    assert server.answered == []


def test_a_class_for_a_probe_that_there_is_not_is_misuse(scenarios: Generator) -> None:
    text = scenarios.scenario.read_text("utf-8").replace("pool_sizing", "poolsizing")
    scenarios.scenario.write_text(text, "utf-8")

    code, said = campaign(scenarios)

    assert "Sweep is for a probe 'poolsizing', which is not one of browse" in said
    assert "visitors.py" in said
    assert code == 2


def test_a_user_of_locusts_own_is_left_out_with_a_word(scenarios: Generator) -> None:
    with scenarios.scenario.open("a", encoding="utf-8") as file:
        file.write("\nfrom locust import FastHttpUser\nclass Plain(FastHttpUser):\n    pass\n")

    code, said = campaign(scenarios, "Sweep", "Plain")

    assert "Plain is no HarnessUser, so no probe can be held with it: left out" in said
    assert [item["probe"] for item in told(scenarios)["probes"]] == ["pool_sizing"]
    assert code == 0


def test_a_host_elsewhere_needs_the_confirmation_that_locust_was_given(
    scenarios: Generator,
) -> None:
    refused, why = campaign(scenarios, "--host", "http://192.0.2.1")
    allowed, then = campaign(scenarios, "--host", "http://192.0.2.1", "--i-own-this-target")

    assert "give --i-own-this-target" in why
    assert "nothing answers at http://192.0.2.1" in then
    assert (refused, allowed) == (2, 3)


def test_ctrl_c_tells_what_is_known_so_far_and_leaves_nothing(
    scenarios: Generator, server: CountingServer, members: Callable[[int], list[int]]
) -> None:
    with scenarios.started("--headless", "--host", scenarios.url) as process:
        assert server.some.wait(30)

        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)

        assert members(process.pid) == []
    assert process.returncode == 130, said
    assert "interrupted before it had an answer" in said
    assert "Traceback" not in said
    first, second = told(scenarios)["probes"]
    assert (first["probe"], second["probe"]) == ("browse", "pool_sizing")
    assert second["summary"] == "the campaign ended before it was held"
