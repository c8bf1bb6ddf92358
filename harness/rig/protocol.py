"""What the rig and whoever drives it say to each other: one line of JSON for each call and answer.

Both sides read this module, and nothing of it needs a driver or an event loop: the other side may
be a process that gevent has patched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from harness.capture.windows import MachineWindow, Reading, ServerWindow, UnreadProcess
from harness.errors import HarnessError, RigError
from harness.rig.trouble.refusal import CannotTroubleError
from harness.served import Worker

__all__ = [
    "Call",
    "Grown",
    "Json",
    "Serving",
    "Started",
    "Stretch",
    "answer_line",
    "call_line",
    "error_line",
    "parsed_call",
    "raised_error",
    "read_grown",
    "read_serving",
    "read_stretch",
]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One command."""

    number: int
    command: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Started:
    """A project's database is there, with tables and rows."""

    database: str
    origin: str
    """Where the server comes from: ``"PostgreSQL 18.4, embedded"``."""
    rig_pid: int
    server_pid: int | None
    """The server's first process; None where it cannot be seen."""
    why_no_activity: str
    """Why the server's side is not watched; empty if it is."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The application answers."""

    url: str
    token: str
    workers: tuple[Worker, ...]
    log: str = ""
    """Path of the file with all that they say, while they serve."""
    empty_tables: int = 0
    """How many the application has, where none has a row; 0 where one has, where nobody could
    look, and on a copy, which is to be filled."""


@dataclass(frozen=True, slots=True)
class Grown:
    """Rows were added to the database that the application is served on."""

    rows: int
    """Of each table, beyond those that it began with."""
    tables: int
    short: tuple[str, ...] = ()
    """Tables that got fewer, and why."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the rig has seen between the beginning and the end of a window."""

    seconds: float
    server: ServerWindow | None
    why_no_server: str
    """Why there is no `server`, or what it lacks."""
    machine: MachineWindow
    before: Mapping[int, Json]
    """The probe's status of each process as the window began, by process id."""
    after: Mapping[int, Json]
    """As it ended."""
    at_rest: Mapping[int, Json]
    """Once no connection was out any more, or patience ended; empty if nobody asked."""
    silent: tuple[UnreadProcess, ...]
    """Processes that did not tell their status in time, once for each of the three."""
    series: tuple[Json, ...]
    """The server's samples, thinned out; see `harness.database.activity_samples`."""


def call_line(call: Call) -> str:
    """A call as a line."""
    return json.dumps(asdict(call)) + "\n"


def parsed_call(line: str) -> Call:
    """The inverse of `call_line`.

    Raises:
        RigError: It is none.
    """
    try:
        told = json.loads(line)
        return Call(told["number"], told["command"], told.get("arguments", {}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RigError(
            f"not a call: {line.strip()[:80]!r}",
            remedy='one line of JSON each: {"number": 1, "command": "start", "arguments": {}}',
        ) from error


def answer_line(number: int, result: object) -> str:
    """A result as a line."""
    said = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
    return json.dumps({"number": number, "result": said}, default=str) + "\n"


def error_line(number: int, error: HarnessError) -> str:
    """An error as a line."""
    told = {
        "slug": error.slug,
        "message": str(error),
        "exit_code": int(error.exit_code),
        "what": error.what,
        "where": error.where,
        "remedy": error.remedy,
    }
    return json.dumps({"number": number, "error": told}) + "\n"


def raised_error(told: Json) -> HarnessError:
    """The error that was raised in the rig, as an error of the same class.

    One of a class that this process does not know becomes a `RigError` with all that it said.
    """
    kinds: list[type[HarnessError]] = [CannotTroubleError, *_below(HarnessError)]
    known = {kind.slug: kind for kind in kinds}
    kind = known.get(told["slug"])
    if kind is None:
        return RigError(told["message"])
    return kind(told["what"], where=told["where"], remedy=told["remedy"])


def read_serving(told: Json) -> Serving:
    """A `Serving` from what was sent."""
    workers = tuple(Worker(**worker) for worker in told["workers"])
    log, empty = told["log"], told["empty_tables"]
    return Serving(told["url"], told["token"], workers, log, empty)


def read_grown(told: Json) -> Grown:
    """A `Grown` from what was sent."""
    return Grown(told["rows"], told["tables"], tuple(told["short"]))


def read_stretch(told: Json) -> Stretch:
    """A `Stretch` from what was sent: JSON has no numbers as keys."""
    by_pid = ("before", "after", "at_rest")
    read = {name: told[name] for name in (item.name for item in fields(Stretch))}
    read |= {name: {int(pid): value for pid, value in told[name].items()} for name in by_pid}
    read["server"] = ServerWindow(**told["server"]) if told["server"] else None
    read["machine"] = MachineWindow(**told["machine"])
    read["silent"] = tuple(
        UnreadProcess(each["pid"], Reading(each["reading"]), each["why"]) for each in told["silent"]
    )
    read["series"] = tuple(told["series"])
    return Stretch(**read)


def _below(kind: type[HarnessError]) -> Iterator[type[HarnessError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
