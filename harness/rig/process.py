"""The rig as a process: commands on standard input, answers on standard output, one line each.

It lives as long as its standard input, which the kernel closes however the owner dies.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import ExitCode, HarnessError
from harness.private_output import private_output
from harness.rig.bench import Bench
from harness.rig.command_loop import END, CommandLoop, Event

__all__ = ["main"]

_FINISH_SECONDS = 3.0
"""What a command may still take when the owner is gone."""
_CLOSE_SECONDS = 25.0


def main() -> int:
    """Run the rig until its owner is gone, or says ``quit``."""
    answers = private_output()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A SimpleQueue may be put to from a signal's handler; what else holds a lock may not.
        signal.signal(number, lambda *_: events.put(END))
    threading.Thread(target=_read, args=[events], daemon=True, name="owner").start()
    bench = Bench(_tell_progress)
    loop = CommandLoop(bench, answers, events)
    loop.run()
    return _closed(loop, bench)


def _closed(loop: CommandLoop, bench: Bench) -> int:
    """Give everything back in order; or end at once, which takes everything along as well."""
    with _hard_end_after(_FINISH_SECONDS):
        loop.finish()  # two that give back at the same time would meet
    with _hard_end_after(_CLOSE_SECONDS):
        try:
            bench.close()
        except HarnessError as error:
            _tell_progress(str(error))
            return error.exit_code
    return ExitCode.CLEAN


@contextmanager
def _hard_end_after(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, _end_hard)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_hard() -> None:
    """The kernel closes what children hold on to, and their reapers see it."""
    os._exit(ExitCode.ENVIRONMENT)


def _read(events: queue.SimpleQueue[Event]) -> None:
    for line in sys.stdin:
        events.put(line)
    events.put(END)


def _tell_progress(step: str) -> None:
    print(step, file=sys.stderr, flush=True)  # noqa: T201 - told to whoever watches
