"""What ``harness load`` is asked for in vain is misuse, said before anything is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.campaign.probes import PROBES
from harness.cli import command
from harness.errors import HarnessError

_HOST = ("--host", "http://127.0.0.1:1")


RunLoad = Callable[..., Result]


@pytest.fixture
def run_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLoad:
    """The verb without an application and a server: what is not refused ends for want of them."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command, ["load", *arguments], env={"HARNESS_APP": ""})

    return run


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("browse", "pool_sizing"), "pool_sizing: one probe at a time"),
        (("browse", "pool_sizing", "--", "--processes", "2"), "pool_sizing: one probe at a time"),
        (("pool_sizing", "--sizes", ","), "',' is no list such as 1,2,4,8"),
        (("browse", "--sizes", "1,2"), "--sizes is for pool_sizing"),
        (("soak", "--target-rate", "5"), "--target-rate is for pool_sizing"),
        (("browse", "--replicas", "1"), "--replicas is for pool_sizing"),
        (("browse", "--surge", "2"), "--surge is for pool_sizing"),
        (("browse", "--count-by", "server"), "--count-by is for n_plus_one"),
        (("campaign", "--sizes", "1,2", *_HOST), "--sizes does nothing with --host"),
        (("pool_sizing", "--surge", "2", *_HOST), "--surge does nothing with --host"),
        (("browse", "--workers", "2", *_HOST), "--workers does nothing with --host"),
        (("browse", "--workers", "65"), "65 is not in the range 1<=x<=64"),
        (("browse", "--", "--host", "http://x"), "--host would overrule what the probe says"),
        (("browse", "--", "--users=9"), "give --users before --"),
        (("browse", "--", "-t", "1h"), "give --time before --"),
        (("browse", "--", "-t1h"), "give --time before --"),
        (("browse", "--", "--result", "x"), "leave it out"),
    ],
)
def test_what_would_do_nothing_or_something_else_is_refused(
    arguments: tuple[str, ...], why: str, run_load: RunLoad
) -> None:
    ended = run_load(*arguments)

    assert why in " ".join(ended.output.split())
    assert ended.exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("pool_sizing", "--sizes", "1,2", "--replicas", "3", "--workers", "64"),
        ("campaign", "--target-rate", "5", "--count-by", "server"),
        ("n_plus_one", "--count-by", "server"),
        ("browse", *_HOST, "--", "--processes", "2", "--arrival-rate", "20", "-T", "slow"),
        ("--", "browse", "--processes", "2"),
    ],
)
def test_what_makes_sense_is_not_refused(arguments: tuple[str, ...], run_load: RunLoad) -> None:
    ended = run_load(*arguments)

    assert isinstance(ended.exception, HarnessError)


@pytest.mark.parametrize("text", ["{", "5", "[1]", "[{}]", '{"probe": "browse"}'])
def test_what_locust_does_not_hand_over_is_misuse(text: str, run_load: RunLoad) -> None:
    ended = run_load("campaign", "--scenarios", text)

    assert "is what locust hands over" in ended.output
    assert ended.exit_code == 2


def test_an_option_of_a_probe_that_no_class_is_for_is_refused(run_load: RunLoad) -> None:
    row = {"probe": "browse", "file": "all.py", "user": "Reader", "is_planned": False}

    ended = run_load("campaign", "--scenarios", json.dumps([row]), "--sizes", "2")

    assert "--sizes is for pool_sizing" in ended.output
    assert ended.exit_code == 2


@pytest.mark.parametrize("name", PROBES)
def test_help_and_list_come_before_a_refusal(name: str, run_load: RunLoad) -> None:
    ended = run_load(name, "another", "--help")

    assert "Run a load probe" in ended.output
    assert ended.exit_code == 0
