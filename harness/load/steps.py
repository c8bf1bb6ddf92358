"""One request at a time, for whoever looks between them: what one request left behind is its own.

A log, or a server's counters, do not tell whose statement it is. In steps the only user waits
after each answer until the owner, who was told of it, has looked and says so with a line on
standard input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TextIO

from gevent.event import Event

from harness.load.tally import Answer

__all__ = ["ANSWERED", "Steps"]

ANSWERED = "answered"
"""What is announced after each request."""


@dataclass(slots=True, eq=False)
class Steps:
    """Who is asked between two requests."""

    listener: TextIO | None = None
    """None where nobody wants to look."""
    _may_go_on: Event = field(default_factory=Event)

    def after(self, route: str, answer: Answer, items: int | None) -> None:
        """Tell of an answer, and wait for the owner.

        Args:
            route: ``GET /users/{user_id}``.
            answer: What came of the request.
            items: That the answer holds, if that is known.
        """
        if self.listener is None:
            return
        told = {"event": ANSWERED, "route": route, "answer": answer, "items": items}
        self._may_go_on.clear()
        try:
            print(json.dumps(told), file=self.listener, flush=True)
        except OSError:  # it does not listen any more
            return
        self._may_go_on.wait()

    def end(self) -> None:
        """Wait no more: the run is to end, and nobody may be there to look."""
        self.listener = None
        self._may_go_on.set()

    def go_on(self) -> None:
        """The owner has looked."""
        self._may_go_on.set()
