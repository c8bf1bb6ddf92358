"""Which processes of an application have told their counts around a stretch of load, and which not.

Apart from the differences, because a process without one is a fact, too: what it did is not known,
so that nobody can say of the whole application that something did not happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.capture.growth import Growth, Json
from harness.capture.windows import Reading, UnreadProcess

__all__ = ["ProcessesRead"]

_READING_SECONDS = 15.0
"""What the readings at both ends may take beside the stretch itself: so long processes are sought
that share a port."""
_GONE = "it has ended since the beginning, or had no time to answer"
_REPLACED = "another process has its number by now"
_FOUND_LATE = "it was there already, and had no time to answer"
_NOT_AT_REST = "it has ended since the load did, or had no time to answer"
_ORDER = {reading: number for number, reading in enumerate(Reading)}


@dataclass(frozen=True, slots=True)
class ProcessesRead:
    """All readings; each has the status of every process that answered, by process id."""

    seconds: float
    """Of the stretch."""
    before: Mapping[int, Json]
    after: Mapping[int, Json]
    at_rest: Mapping[int, Json]
    """Empty if nobody asked."""
    silent: Sequence[UnreadProcess] = ()
    """Who is known not to have answered, once for each reading. Of processes that share a port
    nobody knows whose turn it was."""

    @property
    def count(self) -> int:
        """Processes at the beginning or at the end, where there were more."""
        ends = ((self.before, Reading.BEGINNING), (self.after, Reading.END))
        return max(len({*told, *self._silent_at(reading)}) for told, reading in ends)

    def growths(self) -> Iterator[Growth]:
        """What has grown in each process; one that began meanwhile counts from nothing."""
        for pid, status in self.after.items():
            earlier = self.before.get(pid)
            if earlier is not None and earlier["boot_id"] == status["boot_id"]:
                yield Growth(status, earlier)
            elif self._is_young(status) and pid not in self._silent_at(Reading.BEGINNING):
                yield Growth(status, {})

    def unread(self) -> tuple[UnreadProcess, ...]:
        """Processes with a reading that is missing, each with the first one."""
        reasons = {each.reading: each.why for each in self.silent if each.pid is None}
        missing = [
            replace(each, why=reasons.get(each.reading, each.why)) for each in self._missing()
        ]
        first = min((_ORDER[each.reading] for each in missing), default=len(_ORDER))
        # Who did not answer at a shared port most likely is who was found there before.
        known = (
            each for each in self.silent if each.pid is not None or _ORDER[each.reading] < first
        )
        by_pid: dict[int | None, UnreadProcess] = {}
        for each in sorted((*known, *missing), key=lambda each: _ORDER[each.reading]):
            by_pid.setdefault(each.pid, each)
        return tuple(by_pid.values())

    def _missing(self) -> Iterator[UnreadProcess]:
        """Processes of one reading that another one lacks."""
        for pid, status in self.before.items():
            if pid not in self.after:
                yield UnreadProcess(pid, Reading.END, _GONE)
            elif self.after[pid]["boot_id"] != status["boot_id"]:
                yield UnreadProcess(pid, Reading.END, _REPLACED)
        for pid, status in {**self.at_rest, **self.after}.items():
            if pid not in self.before and not self._is_young(status):
                yield UnreadProcess(pid, Reading.BEGINNING, _FOUND_LATE)
        if self.at_rest:
            for pid in self.after.keys() - self.at_rest.keys():
                yield UnreadProcess(pid, Reading.REST, _NOT_AT_REST)

    def _silent_at(self, reading: Reading) -> set[int | None]:
        return {each.pid for each in self.silent if each.reading is reading}

    def _is_young(self, status: Json) -> bool:
        """Whether it began meanwhile; else what it did before is no part of the stretch."""
        return bool(status["uptime_seconds"] <= self.seconds + _READING_SECONDS)
