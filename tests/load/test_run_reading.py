"""How the target's probe is read around a run, and what is said where that goes wrong."""

from __future__ import annotations

import signal
import socket
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.capture.readings import pool
from tests.load.conftest import CountingServer, Generator, told_by_probe

_WITHIN_SECONDS = 20.0


@pytest.fixture
def knowing(generator: Generator) -> Generator:
    """A Locust that was told a token."""
    return replace(generator, token="any")


def test_a_target_without_a_probe_is_skipped_after_a_few_questions(
    server: CountingServer, knowing: Generator
) -> None:
    server.is_probe_hidden = True

    code, said = knowing.run("-t", "1s")

    assert "harness: pool   skipped      the target has no probe, or HARNESS_TOKEN is" in said
    assert "harness: leak" not in said
    assert code == 0
    assert 0 < server.questions <= 16


def test_a_probe_of_another_version_is_inconclusive_with_what_it_lacks(
    server: CountingServer, knowing: Generator
) -> None:
    server.probe = told_by_probe()
    del server.probe["outstanding"]

    code, said = knowing.run("-t", "1s")

    assert "harness: load   pass" in said
    assert "harness: pool   inconclusive the probe's status is not as this version" in said
    assert "KeyError('outstanding')" in said
    assert code == 3


def test_ctrl_c_while_the_probe_is_read_at_last_is_told_alike_on_screen_and_in_the_file(
    server: CountingServer, knowing: Generator
) -> None:
    server.probe = told_by_probe()
    arguments = knowing.headless("-t", "1s", "--stop-timeout", "5")
    with knowing.started(*arguments, "--loglevel", "DEBUG") as process:
        assert server.some.wait(_WITHIN_SECONDS)
        server.probe_answers.clear()
        server.probe_asked.clear()
        assert server.probe_asked.wait(_WITHIN_SECONDS)

        process.send_signal(signal.SIGINT)
        server.probe_answers.set()
        said, _ = process.communicate(timeout=60)

    result = knowing.result
    assert result.is_interrupted is ("harness: load   interrupted" in said)
    assert [one.probe for one in result.verdicts] == ["load", "pool", "leak"]
    assert process.returncode == 0


def test_a_hanging_probe_takes_no_more_than_half_of_a_run_by_hand_started_workers(
    server: CountingServer, knowing: Generator
) -> None:
    server.probe = told_by_probe(pool())
    server.probe_answers.clear()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    master = ("--master", "--expect-workers", "1", "--master-bind-port", port)

    with knowing.started("--worker", "--master-port", port):
        code, said = knowing.run("-t", "2s", "--stop-timeout", "5", *master)

    assert knowing.result.tally.requests == len(server.answered) > 0
    assert "harness: pool   inconclusive the probe was not read within 1 s of the start" in said
    assert code == 3


def test_a_headless_run_that_never_began_is_inconclusive(
    generator: Generator, server: CountingServer
) -> None:
    text = generator.scenario.read_text("utf-8")
    held = "import gevent\nfrom locust import events\n"
    held += "events.test_start.add_listener(lambda **_: gevent.sleep(60))\n"
    generator.scenario.write_text(held + text, "utf-8")

    code, said = generator.run("-t", "1s")

    assert "harness: load   inconclusive the run was over before it had begun" in said
    assert server.answered == []
    assert code == 3


def test_a_file_in_a_folder_that_is_not_there_is_refused_before_anything_is_sent(
    generator: Generator, server: CountingServer, tmp_path: Path
) -> None:
    elsewhere = replace(generator, result_file=tmp_path / "nowhere" / "result.json")

    code, said = elsewhere.run("-t", "1s")

    assert "nowhere/result.json cannot be written: there is no such folder" in said
    assert server.answered == []
    assert code == 2


def test_a_folder_in_place_of_a_file_is_refused_before_anything_is_sent(
    generator: Generator, server: CountingServer, tmp_path: Path
) -> None:
    code, said = replace(generator, result_file=tmp_path).run("-t", "1s")

    assert f"harness: --result {tmp_path} cannot be written: it is a folder" in said
    assert server.answered == []
    assert code == 2


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [(HTTPStatus.OK, "pass", 3), (HTTPStatus.INTERNAL_SERVER_ERROR, "fail", 1)],
)
def test_a_file_that_cannot_be_written_in_the_end_takes_nothing_but_a_clean_exit(
    status: HTTPStatus, verdict: str, code: int, server: CountingServer, generator: Generator
) -> None:
    server.status = status
    with generator.started(*generator.headless("-t", "2s")) as process:
        assert server.some.wait(30)
        generator.result_file.mkdir()

        said, _ = process.communicate(timeout=60)

    assert f"harness: load   {verdict}" in said
    assert "result.json cannot be written: Is a directory; the verdicts above hold" in said
    assert list(generator.result_file.parent.glob("*.part")) == []
    assert process.returncode == code


def test_a_verdict_that_could_not_be_given_is_no_clean_exit(generator: Generator) -> None:
    broken = """
from locust import events
from harness.load.listeners import session_of

events.quitting.add_listener(lambda **_: setattr(session_of(), "book", None))
"""
    text = generator.scenario.read_text("utf-8")
    generator.scenario.write_text(text + broken, "utf-8")

    code, said = generator.run("-t", "1s")

    assert "AttributeError" in said
    assert code == 3
