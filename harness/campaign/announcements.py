"""What Locust's process announces to its owner, among whatever else is on its standard output.

A file of traffic may print as it is imported, before the harness has the output for itself; and
what was printed without an end of line stands in front of the first announcement.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Announcement", "announcements"]

_OPENING = '{"event": '


@dataclass(frozen=True, slots=True)
class Announcement:
    """One line; of a step, what came of a request, too."""

    event: str
    route: str = ""
    """``GET /users/{user_id}``."""
    answer: str = ""
    """An `harness.load.tally.Answer`."""
    items: int | None = None
    """That the answer holds."""


def announcements(
    process: subprocess.Popen[str], *, aside: Callable[[str], object]
) -> Iterator[Announcement]:
    """Each as it is made, until the process ends; whoever asks again gets the next one.

    Args:
        process: Locust's.
        aside: Told of each line that is none.
    """
    for line in process.stdout or ():
        announcement = _announced(line)
        if announcement is None:
            aside(line)
        else:
            yield announcement


def _announced(line: str) -> Announcement | None:
    _, opening, rest = line.rpartition(_OPENING)
    try:
        return Announcement(**json.loads(opening + rest))
    except (ValueError, TypeError):  # somebody else's, which only begins like ours
        return None
