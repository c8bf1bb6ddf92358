"""A window asks its sides at both ends, and waits at rest for who does not answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.capture.windows import Reading, UnreadProcess
from harness.database.activity_samples import ActivityReading
from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.rig.reading import begun_window
from harness.statuses import Told

HANGS = UnreachableTargetError("it does not tell its status: timed out")
PATIENCE = 30.0


def status(out: int = 0) -> dict[str, Any]:
    return {"pools": [{"checked_out": out}]}


@dataclass(slots=True, eq=False)
class Scripted:
    """Sides that tell one thing after the other, the last one for ever."""

    script: list[Told]
    asked: list[str] = field(default_factory=list)
    seen: list[tuple[int, ...]] = field(default_factory=list)
    _told: Iterator[Told] = field(init=False)

    def __post_init__(self) -> None:
        self._told = iter(self.script)

    def told(self) -> Told:
        self.asked.append("status")
        return next(self._told, self.script[-1])

    def participants(self, processes: Iterable[int]) -> Iterable[int]:
        self.seen.append(tuple(processes))
        return ()

    def begin_activity(self) -> None:
        self.asked.append("begin")

    def activity(self) -> ActivityReading:
        self.asked.append("activity")
        return ActivityReading(None, "nobody looks")


def test_all_sides_are_asked_at_both_ends() -> None:
    sides = Scripted([Told({1: status()}), Told({1: status(1)})])

    stretch = begun_window(sides, []).end(rest_seconds=0.0)

    assert sides.asked == ["status", "begin", "activity", "status"]
    assert (stretch.before, stretch.after) == ({1: status()}, {1: status(1)})
    assert (stretch.at_rest, stretch.silent, stretch.why_no_server) == ({}, (), "nobody looks")


def test_whose_cpu_is_measured_is_asked_with_the_processes_of_the_beginning() -> None:
    sides = Scripted([Told({1: status(), 2: status()}), Told({3: status()})])

    begun_window(sides, []).end(rest_seconds=0.0)

    assert sides.seen == [(1, 2), (1, 2)]


def test_rest_is_when_no_connection_is_out() -> None:
    sides = Scripted([Told({1: status(out)}) for out in (0, 2, 1, 0, 5)])

    stretch = begun_window(sides, []).end(rest_seconds=PATIENCE)

    assert stretch.at_rest == {1: status(0)}


def test_what_is_at_rest_at_the_end_is_not_asked_again() -> None:
    sides = Scripted([Told({1: status()})])

    stretch = begun_window(sides, []).end(rest_seconds=PATIENCE)

    assert stretch.at_rest == stretch.after
    assert sides.asked.count("status") == 2


def test_who_does_not_answer_is_not_at_rest() -> None:
    both = Told({1: status(), 2: status()})
    sides = Scripted([both, Told({1: status()}, {2: HANGS}), Told({1: status()}, {2: HANGS}), both])

    stretch = begun_window(sides, []).end(rest_seconds=PATIENCE)

    assert stretch.at_rest == both.statuses
    assert stretch.silent == (UnreadProcess(2, Reading.END, HANGS.what),)


def test_who_was_there_at_the_end_and_is_not_found_is_awaited() -> None:
    both = Told({1: status(), 2: status(1)})
    alone = Told({1: status()})
    sides = Scripted([both, both, alone, Told({1: status(), 2: status()})])

    stretch = begun_window(sides, []).end(rest_seconds=PATIENCE)

    assert stretch.at_rest.keys() == {1, 2}


def test_patience_ends() -> None:
    sides = Scripted([Told({1: status(1)}, {2: HANGS})])

    stretch = begun_window(sides, []).end(rest_seconds=0.2)

    assert stretch.at_rest == {1: status(1)}
    assert [each.reading for each in stretch.silent] == [*Reading]


def test_a_probe_that_failed_is_told_by_its_last_line() -> None:
    failed = BlindRecorderError("the probe failed", where="Traceback\nKeyError: 'x'")

    stretch = begun_window(Scripted([Told({}, {7: failed})]), []).end(rest_seconds=0.0)

    assert stretch.silent[0] == UnreadProcess(
        7, Reading.BEGINNING, "the probe failed KeyError: 'x'"
    )
