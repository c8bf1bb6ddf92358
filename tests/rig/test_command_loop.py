"""Calls are answered in their order, and each in time, whatever becomes of the command."""

from __future__ import annotations

import io
import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import MisuseError
from harness.rig.command_loop import END, CommandLoop, Event

PATIENCE_SECONDS = 30.0


@dataclass
class Bench:
    """One whose commands do what a test needs."""

    released: threading.Event = field(default_factory=threading.Event)

    def hang(self) -> str:
        self.released.wait(PATIENCE_SECONDS)
        return "too late"

    def double(self, number: int) -> int:
        return 2 * number

    def refuse(self) -> None:
        raise MisuseError("no")

    def fail(self) -> None:
        raise ZeroDivisionError("by nothing")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.released.set()


def said(bench: Bench, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to calls, up to the last one's."""
    answers = _Answers(len(calls))
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    for number, (command, arguments) in enumerate(calls):
        told = {"number": number, "command": command, "arguments": arguments}
        events.put(json.dumps(told))
    answers.on_last = lambda: events.put(END)
    limits = {"hang": 0.05, "double": PATIENCE_SECONDS, "refuse": 9.0, "fail": 9.0}
    CommandLoop(bench, answers, events, limits).run()
    return [json.loads(line) for line in answers.getvalue().splitlines()]


class _Answers(io.StringIO):
    def __init__(self, expected: int) -> None:
        super().__init__()
        self.expected = expected
        self.on_last: Callable[[], None] = lambda: None

    def flush(self) -> None:
        self.expected -= 1
        if self.expected == 0:
            self.on_last()


def test_calls_are_answered_in_their_order(bench: Bench) -> None:
    answers = said(bench, ("double", {"number": 1}), ("double", {"number": 4}))

    assert answers == [{"number": 0, "result": 2}, {"number": 1, "result": 8}]


def test_a_command_that_hangs_is_answered_in_time(bench: Bench) -> None:
    (answer,) = said(bench, ("hang", {}))

    assert answer["error"]["slug"] == "rig"
    assert "did not finish 'hang' within 0.05 s" in answer["error"]["message"]


def test_a_command_behind_one_that_hangs_waits_in_vain_only_as_long_as_it_may(
    bench: Bench,
) -> None:
    first, second = said(bench, ("hang", {}), ("hang", {}))

    assert (first["number"], second["number"]) == (0, 1)
    assert second["error"]["slug"] == "rig"


def test_what_comes_too_late_is_said_to_nobody(bench: Bench) -> None:
    threading.Timer(0.3, bench.released.set).start()
    answers = said(bench, ("hang", {}), ("double", {"number": 4}))

    assert answers[0]["error"]["slug"] == "rig"
    assert answers[1:] == [{"number": 1, "result": 8}]


def test_a_refusal_and_a_fault_of_ours_are_answers(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal, fault, after = said(bench, ("refuse", {}), ("fail", {}), ("double", {"number": 1}))

    assert refusal["error"]["slug"] == "misuse"
    assert "ZeroDivisionError: by nothing" in fault["error"]["message"]
    assert after["result"] == 2
    assert "Traceback" in capsys.readouterr().err


def test_quitting_ends_the_loop_without_an_answer(bench: Bench) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    events.put('{"number": 1, "command": "quit"}')
    answers = io.StringIO()

    CommandLoop(bench, answers, events).run()

    assert answers.getvalue() == ""
