"""One window of load, read at both ends: whoever is asked, it is read in the same order.

Apart from whom it asks (`Sides`): the rig knows the processes that it has started, their server and
itself (`window`), of a target that runs already an address is known (`harness.campaign.outside`).
A process that does not tell its status in time is a fact of the window, not the end of it: that an
application hangs is what some probes are after.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol

from harness.capture.windows import Reading, UnreadProcess
from harness.database.activity_samples import ActivityReading
from harness.errors import HarnessError
from harness.rig.machine import CpuReading, Participants, machine_window, read_cpu
from harness.rig.protocol import Stretch
from harness.statuses import Told

__all__ = ["STATUS_SECONDS", "Sides", "Window", "begun_window"]

STATUS_SECONDS = 5.0
"""For a process to tell its status in a window."""
_POLL_SECONDS = 0.05


class Sides(Protocol):
    """Whom a window asks."""

    def told(self) -> Told:
        """What the processes of the application tell at this moment."""
        ...

    def participants(self, processes: Iterable[int]) -> Iterable[int]:
        """Who takes part in the measurement at this moment, beside the generator.

        Args:
            processes: Of the application, as far as they told their status at the beginning.
        """
        ...

    def begin_activity(self) -> None:
        """From now on what the server does is of this window."""
        ...

    def activity(self) -> ActivityReading:
        """What the server has done since then."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of load that has begun."""

    sides: Sides
    generator: tuple[int, ...]
    at_seconds: float
    cpu: CpuReading
    before: Told

    def end(self, *, rest_seconds: float) -> Stretch:
        """It ends.

        Args:
            rest_seconds: How long to wait afterwards until no connection is out; 0 for not at all.
        """
        seconds = time.monotonic() - self.at_seconds
        cpu = _cpu(self.sides, self.before, self.generator)
        activity = self.sides.activity()
        after = self.sides.told()
        at_rest = _at_rest(self.sides, after, rest_seconds) if rest_seconds else Told()
        return Stretch(
            seconds=seconds,
            server=activity.window,
            why_no_server=activity.reason,
            machine=machine_window(self.cpu, cpu),
            before=self.before.statuses,
            after=after.statuses,
            at_rest=at_rest.statuses,
            silent=(
                *_silent(self.before, Reading.BEGINNING),
                *_silent(after, Reading.END),
                *_silent(at_rest, Reading.REST),
            ),
            series=tuple(asdict(sample) for sample in activity.series),
        )


def begun_window(sides: Sides, generator: Iterable[int]) -> Window:
    """A window begins.

    Args:
        sides: Whom it asks.
        generator: Processes of the generator.
    """
    pids = tuple(generator)
    before = sides.told()
    sides.begin_activity()
    return Window(sides, pids, time.monotonic(), _cpu(sides, before, pids), before)


def _cpu(sides: Sides, before: Told, generator: tuple[int, ...]) -> CpuReading:
    return read_cpu(Participants(generator, tuple(sides.participants(before.statuses))))


def _at_rest(sides: Sides, end: Told, rest_seconds: float) -> Told:
    until_seconds = time.monotonic() + rest_seconds
    told = end
    while not _is_at_rest(told, end) and time.monotonic() < until_seconds:
        time.sleep(_POLL_SECONDS)
        told = sides.told()
    return told


def _is_at_rest(told: Told, end: Told) -> bool:
    """Whether no connection is out, in any of the processes that there were at the end."""
    is_complete = not told.silent and end.statuses.keys() <= told.statuses.keys()
    pools = (pool for status in told.statuses.values() for pool in status["pools"])
    return is_complete and not any(pool["checked_out"] for pool in pools)


def _silent(told: Told, reading: Reading) -> Iterator[UnreadProcess]:
    for pid, error in told.silent.items():
        yield UnreadProcess(pid, reading, _why(error))


def _why(error: HarnessError) -> str:
    return " ".join((error.what, *error.where.splitlines()[-1:]))
