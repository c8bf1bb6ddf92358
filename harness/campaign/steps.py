"""Traffic in steps, from the owner's side: one request, a look, the next request.

The other side is `harness.load.steps`, in Locust's process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from harness.campaign.announcements import announcements
from harness.campaign.traffic import Traffic

__all__ = ["STEPPED", "Step", "steps"]

STEPPED = "--stepped"
"""The option of Locust's process that asks for it."""
_MARGIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One request was answered."""

    route: str
    """``GET /users/{user_id}``."""
    answer: str
    """An `harness.load.tally.Answer`."""
    items: int | None
    """That the answer holds."""


def steps(running: Traffic) -> Iterator[Step]:
    """Each request, as long as there are any; the next is sent when the next is asked for."""
    patience_seconds = running.load.seconds + running.load.stop_seconds + _MARGIN_SECONDS
    late = threading.Timer(patience_seconds, running.process.kill)
    late.daemon = True
    late.start()
    try:
        for told in announcements(running.process, aside=running.printed.append):
            if told.event == "ended":
                running.has_ended = True
            elif told.event == "answered":
                yield Step(told.route, told.answer, told.items)
                _go_on(running)
    finally:
        late.cancel()


def _go_on(running: Traffic) -> None:
    if running.process.stdin is not None:
        with suppress(OSError):  # it has ended meanwhile
            running.process.stdin.write("\n")
            running.process.stdin.flush()
