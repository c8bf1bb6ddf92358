"""Nothing lost: every write that was answered 2xx is in the database exactly once.

The writers note a key for each write and what they were answered; after a trouble the keys that are
in the database are read and compared, here. What was never answered may be there or not: the answer
was lost, and nobody can know. How keys are found again is another matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Reckoning", "Write", "reckon"]

_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Write:
    """One request that a writer sent."""

    key: str
    status: int | None
    """What it was answered; None if no whole answer came."""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What became of all writes."""

    sent: int
    """Different keys."""
    answered: int
    """Keys that were answered 2xx."""
    lost: tuple[str, ...]
    """Answered 2xx, and not there."""
    doubled: tuple[str, ...]
    """There more than once, whatever was answered."""
    unknown: int
    """Never answered: may be there or not."""
    unknown_there: int
    """Of these, in the database."""
    failed: int
    """Answered, and never 2xx: mostly not written."""
    failed_there: int
    """Of these, in the database: written, and then something went wrong before the answer."""
    strangers: tuple[str, ...]
    """Found, and never sent: what finds the keys finds other rows, too."""

    @property
    def is_nothing_lost(self) -> bool:
        """Whether every write that was answered 2xx is there exactly once, and none twice."""
        return not self.lost and not self.doubled


def reckon(writes: Iterable[Write], found: Mapping[str, int]) -> Reckoning:
    """Compare what was answered with what is there.

    Args:
        writes: Everything that was sent; a key that a writer sent again is there several times.
        found: Keys in the database, and how often each is there.
    """
    answers: dict[str, set[int | None]] = {}
    for write in writes:
        answers.setdefault(write.key, set()).add(write.status)
    good = {key for key, got in answers.items() if any(status in _OK for status in got)}
    unknown = {key for key, got in answers.items() if key not in good and None in got}
    failed = answers.keys() - good - unknown
    there = {key for key, count in found.items() if count > 0}
    return Reckoning(
        sent=len(answers),
        answered=len(good),
        lost=tuple(sorted(good - there)),
        doubled=tuple(sorted(key for key in answers if found.get(key, 0) > 1)),
        unknown=len(unknown),
        unknown_there=len(unknown & there),
        failed=len(failed),
        failed_there=len(failed & there),
        strangers=tuple(sorted(there - answers.keys())),
    )
