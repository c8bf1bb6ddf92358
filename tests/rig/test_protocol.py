"""What crosses the pipes arrives as it was."""

from __future__ import annotations

import json

from harness.capture.windows import MachineWindow, Reading, ServerWindow, UnreadProcess
from harness.errors import MisuseError, RigError, ServerStartError
from harness.rig.protocol import (
    Call,
    Serving,
    Stretch,
    answer_line,
    call_line,
    error_line,
    parsed_call,
    raised_error,
    read_serving,
    read_stretch,
)
from harness.rig.trouble.refusal import CannotTroubleError
from harness.served import Worker

STRETCH = Stretch(
    seconds=1.5,
    server=ServerWindow(10, 1.0, 2.0, 3.0, 0.5, 1.0, 100, 3, 0.25, 30.0),
    why_no_server="",
    machine=MachineWindow(2, 0.5, 0.25, 1.5, 0.75),
    before={12: {"pid": 12}},
    after={12: {"pid": 12, "routes": {}}},
    at_rest={},
    silent=(
        UnreadProcess(13, Reading.END, "timed out"),
        UnreadProcess(None, Reading.REST, "reset"),
    ),
    series=({"at_seconds": 1.0, "active": 2},),
)


def test_a_call_arrives_as_it_was() -> None:
    call = Call(3, "rows", {"select": "SELECT '\n'"})

    assert call_line(call).count("\n") == 1
    assert parsed_call(call_line(call)) == call


def test_a_stretch_arrives_as_it_was() -> None:
    arrived = read_stretch(json.loads(answer_line(1, STRETCH))["result"])

    assert arrived == STRETCH
    assert {type(each.reading) for each in arrived.silent} == {Reading}


def test_what_is_served_arrives_as_it_was() -> None:
    serving = Serving("http://127.0.0.1:1", "secret", (Worker(7, "http://127.0.0.1:2"),))

    assert read_serving(json.loads(answer_line(1, serving))["result"]) == serving


def test_an_error_arrives_with_its_class_and_words() -> None:
    errors = [
        ServerStartError("it did not", where="line 3", remedy="try again"),
        CannotTroubleError("not here"),
        MisuseError("no"),
    ]

    arrived = [raised_error(json.loads(error_line(1, error))["error"]) for error in errors]

    assert [type(error) for error in arrived] == [type(error) for error in errors]
    assert [str(error) for error in arrived] == [str(error) for error in errors]


def test_an_error_of_an_unknown_class_keeps_its_words() -> None:
    class LocalError(RigError):
        slug = "only-here"

    told = json.loads(error_line(1, LocalError("it broke", remedy="mend it")))["error"]
    told["slug"] = "never-heard-of"

    error = raised_error(told)

    assert type(error) is RigError
    assert "it broke\nmend it\n[only-here]" in str(error)
