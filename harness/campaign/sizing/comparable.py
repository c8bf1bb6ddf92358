"""Which sizes of a sweep can be compared: where users neither give up nor are served too slowly.

Apart from `plan`, which chooses by the ramp what is worth trying. A sweep of which fewer than three
sizes would be left takes minutes and ends without a verdict: it is not held, and why is told, with
what to set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from harness.campaign.sizing.form import MORE_ANSWERS, Form
from harness.checks.load.figures import counted
from harness.checks.load.pool_sizing import FEWEST_SIZES
from harness.checks.load.validity import FEWEST_THROUGHPUT

__all__ = [
    "FEWEST_TOP",
    "LONGEST_WAIT_SECONDS",
    "Crowd",
    "too_few",
    "why_cramped",
    "why_left_out",
]

FEWEST_TOP = 4
"""Three sizes, 1, 2 and 4, are the fewest that show a bend."""
LONGEST_WAIT_SECONDS = 8.0
"""For a connection: users give up after 10 s, and a queue of those is no throughput."""

Sizes = tuple[int, ...]
"""Ascending."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The users of a sweep, who do not pause."""

    users: int
    """Of all processes together."""
    processes: int
    hold_seconds: float
    """Of a request, without load."""

    def thinned(self, sizes: Sizes) -> Crowd:
        """As many as the three largest pools serve in time, but enough to fill the largest."""
        patient = self._patient(_smallest(sizes))
        return replace(self, users=min(self.users, max(patient, sizes[-1] * self.processes)))

    def comparable(self, sizes: Sizes, form: Form) -> tuple[Sizes, str]:
        """Those that can be compared, and why they are too few; empty where they are not.

        Args:
            sizes: Where there are fewer than three, none of them has to be left out.
            form: How much is measured.
        """
        in_time = tuple(size for size in sizes if self.users <= self._patient(size))
        if len(in_time) < min(FEWEST_SIZES, len(sizes)):
            return in_time, self._why_impatient(sizes, form)
        return self._quick_enough(in_time, form)

    def _patient(self, size: int) -> int:
        """Users of whom nobody waits for too long for a connection."""
        return int(LONGEST_WAIT_SECONDS * size * self.processes / self.hold_seconds)

    def _why_impatient(self, sizes: Sizes, form: Form) -> str:
        smallest, largest = _smallest(sizes), sizes[-1]
        wait_seconds = self.users * self.hold_seconds / (smallest * self.processes)
        told = (
            f"requests hold connections for {self.hold_seconds:.1f} s: {self.users} users would "
            f"wait {wait_seconds:.1f} s for one of {smallest}, {LONGEST_WAIT_SECONDS:g} s at most: "
        )
        fewer, fill = self._patient(smallest), largest * self.processes
        if fewer >= fill:
            return f"{told}--users {fewer}"
        half = largest // 2
        if self._patient(half) < fill:
            return f"{told}leave out the slowest routes (--plan)"
        seconds = self._seconds(half)
        longer = f" --time {seconds}s" if seconds > form.longest_seconds else ""
        return f"{told}--sizes {half},{half * 3 // 2},{largest} --users {fill}{longer}"

    def _quick_enough(self, sizes: Sizes, form: Form) -> tuple[Sizes, str]:
        """The sizes that can serve enough in the longest slice, and why those are too few."""
        longest = form.longest_seconds
        kept = tuple(size for size in sizes if self._rate(size) * longest >= FEWEST_THROUGHPUT)
        if len(kept) >= min(FEWEST_SIZES, len(sizes)):
            return kept, ""
        smallest = _smallest(sizes)
        return kept, (
            f"requests are too slow for slices of {longest:.0f} s: a pool of {smallest} serves at "
            f"most {self._rate(smallest) * longest:.0f} in one, {FEWEST_THROUGHPUT} needed: "
            f"--time {self._seconds(smallest)}s"
        )

    def _rate(self, size: int) -> float:
        """Requests a second that so many connections of every process cannot exceed."""
        return size * self.processes / self.hold_seconds

    def _seconds(self, size: int) -> int:
        """How long a slice takes in which a pool serves enough."""
        return ceil(MORE_ANSWERS * FEWEST_THROUGHPUT / self._rate(size))


def why_cramped(sizes: Sizes, *, room: int, users: int | None, processes: int) -> str:
    """Why there are fewer than three sizes from the beginning; empty where there are not.

    Args:
        sizes: Of which none was left out.
        room: Connections that the server has for each process.
        users: As many as somebody wants.
        processes: Of the application.
    """
    if users is not None and users < FEWEST_TOP * processes:
        return too_few(
            sizes,
            f"{counted(users, 'user')} cannot fill a pool of {FEWEST_TOP}: "
            f"--users {FEWEST_TOP * processes} or more",
        )
    return too_few(
        sizes,
        f"the server has room for {counted(room, 'connection')} of each process: raise its "
        "max_connections, or serve fewer processes (--workers)",
    )


def why_left_out(sizes: Sizes, *, room: int, users: int | None, processes: int) -> str:
    """Why sizes that somebody asked for are not tried, by name; empty where all are.

    Args:
        sizes: Asked for.
        room: Connections that the server has for each process.
        users: As many as somebody wants.
        processes: Of the application.
    """
    roomless = [size for size in sizes if size > room]
    unfilled = [size for size in sizes if users is not None and room >= size > users // processes]
    told = []
    if users is not None and unfilled:
        told.append(
            f"{counted(users, 'user')} cannot fill {_a_pool(unfilled)}: "
            f"--users {unfilled[-1] * processes} or more"
        )
    if roomless:
        told.append(
            f"the server has room for {counted(room, 'connection')} of each process, "
            f"not for {_a_pool(roomless)}"
        )
    return "; ".join(told)


def too_few(sizes: Sizes, why: str) -> str:
    """That sizes are fewer than three, for this reason; empty where they are not."""
    if len(sizes) >= FEWEST_SIZES:
        return ""
    return f"{counted(len(sizes), 'pool size')} to compare, {FEWEST_SIZES} needed: {why}"


def _a_pool(sizes: Sequence[int]) -> str:
    return f"a pool of {' or '.join(map(str, sizes))}"


def _smallest(sizes: Sizes) -> int:
    """Of those that have to be left for a verdict."""
    return sizes[-min(FEWEST_SIZES, len(sizes))]
