"""Answers calls in their order, each within its time limit, whatever becomes of the command.

Commands run one after the other in a thread; the loop waits for each no longer than its limit, so
that neither a hanging application nor a hanging server makes the rig silent. Kept apart from the
process (`process`), whose input and end are another matter.
"""

from __future__ import annotations

import inspect
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from harness.errors import HarnessError, MisuseError, RigError
from harness.rig.limits import LIMIT_SECONDS
from harness.rig.protocol import Call, answer_line, error_line, parsed_call

__all__ = ["END", "CommandLoop", "Event"]

_QUIT = "quit"
_SHORT_SECONDS = 3.0
"""For what is no command: its refusal takes no time."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A command has ended."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class _Running:
    """A command runs."""

    number: int
    command: str
    until_seconds: float


END = object()
"""The owner is gone, or wants the end."""
Event = str | _Done | object
"""A line of the owner's, an answer, or `END`."""


@dataclass(slots=True, eq=False)
class _Thread:
    """Runs commands one after the other."""

    bench: object
    events: queue.SimpleQueue[Event]
    commands: Collection[str]
    _calls: queue.SimpleQueue[Call] = field(default_factory=queue.SimpleQueue)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="bench").start()

    def run(self, call: Call) -> None:
        self._calls.put(call)

    def _run(self) -> None:
        while True:
            call = self._calls.get()
            self.events.put(_Done(call.number, self._answer(call)))

    def _answer(self, call: Call) -> str:
        try:
            return answer_line(call.number, self._command(call)())
        except HarnessError as error:
            return error_line(call.number, error)
        except Exception as error:  # noqa: BLE001 - told to the owner, who waits for an answer
            traceback.print_exc()
            what = f"the rig failed: {type(error).__name__}: {error}"
            remedy = "this is a fault of the harness: please report it"
            return error_line(call.number, RigError(what, remedy=remedy))

    def _command(self, call: Call) -> Callable[[], object]:
        if call.command not in self.commands:
            remedy = f"one of: {', '.join((*self.commands, _QUIT))}"
            raise MisuseError(f"the rig has no command {call.command!r}", remedy=remedy)
        method: Callable[..., object] = getattr(self.bench, call.command)
        try:
            inspect.signature(method).bind(**call.arguments)
        except TypeError as error:
            raise MisuseError(f"{call.command!r}: {error}") from error
        return lambda: method(**call.arguments)


@dataclass(slots=True, eq=False)
class CommandLoop:
    """Answers calls in their order.

    Attributes:
        bench: Whose methods the commands are.
        answers: Where to say what came of them.
        events: Where the owner's lines arrive, and `END`.
        limits_seconds: What each command may take; what is not in here is no command.
    """

    bench: object
    answers: TextIO
    events: queue.SimpleQueue[Event]
    limits_seconds: Mapping[str, float] = field(default_factory=lambda: LIMIT_SECONDS)
    _running: _Running | None = None
    _waiting: deque[Call] = field(default_factory=deque)
    _thread: _Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = _Thread(self.bench, self.events, self.limits_seconds.keys())

    def run(self) -> None:
        """Until the owner is gone or says so."""
        self._thread.start()
        while (event := self._event()) is not END:
            if isinstance(event, _Done):
                self._ended(event)
            elif isinstance(event, str):
                self._called(event)
            elif self._running is not None:
                self._overran(self._running)
            self._next()

    def finish(self) -> None:
        """Let the command that runs come to its end; what waits is left undone."""
        while self._running is not None:
            event = self.events.get()
            if isinstance(event, _Done):
                self._ended(event)

    def _event(self) -> Event | None:
        """What happens next; None if the running command is out of time."""
        if self._running is None:
            return self.events.get()
        left_seconds = self._running.until_seconds - time.monotonic()
        try:
            return self.events.get(timeout=max(0.0, left_seconds))
        except queue.Empty:
            return None

    def _called(self, line: str) -> None:
        try:
            call = parsed_call(line)
        except RigError as error:
            self._say(error_line(0, error))
            return
        if call.command == _QUIT:
            self.events.put(END)
        else:
            self._waiting.append(call)

    def _next(self) -> None:
        if self._running is None and self._waiting:
            call = self._waiting.popleft()
            limit_seconds = self.limits_seconds.get(call.command, _SHORT_SECONDS)
            self._running = _Running(call.number, call.command, time.monotonic() + limit_seconds)
            self._thread.run(call)

    def _ended(self, done: _Done) -> None:
        # One that overran has been answered already.
        if self._running is not None and done.number == self._running.number:
            self._running = None
            self._say(done.line)

    def _overran(self, running: _Running) -> None:
        self._running = None
        limit_seconds = self.limits_seconds.get(running.command, _SHORT_SECONDS)
        what = f"the rig did not finish {running.command!r} within {limit_seconds:g} s"
        remedy = "quit it: what comes next waits for that command"
        self._say(error_line(running.number, RigError(what, remedy=remedy)))

    def _say(self, line: str) -> None:
        try:
            self.answers.write(line)
            self.answers.flush()
        except OSError:
            self.events.put(END)  # nobody listens any more
