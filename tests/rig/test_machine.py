"""Who keeps the machine busy: counted for the right one, and never twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.rig.machine import (
    CpuReading,
    Participants,
    machine_window,
    postmaster_of,
    read_cpu,
)

# Uses CPU in a child of its own, then ends it, and waits for the end of its input.
_WORKER = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.4: pass"
subprocess.run([sys.executable, "-c", burn], check=True)
print("done", flush=True)
sys.stdin.read()
"""


def reading(at_seconds: float, machine: float, generator: float, other: float) -> CpuReading:
    return CpuReading(at_seconds, machine, {1: generator, 2: other}, frozenset({1}))


def test_what_no_participant_used_is_foreign() -> None:
    window = machine_window(
        reading(0.0, 100.0, 5.0, 7.0), reading(10.0, 115.0, 8.0, 11.0), cores=2, spare=0.0
    )

    assert window.cores == 2
    assert window.generator_cpu == pytest.approx(0.3)
    assert window.foreign_cpu == pytest.approx(0.8)


def test_the_busiest_process_of_the_generator_counts() -> None:
    before = CpuReading(0.0, 0.0, {1: 0.0, 2: 0.0}, frozenset({1, 2}))
    after = CpuReading(10.0, 12.0, {1: 3.0, 2: 9.0}, frozenset({1, 2}))

    assert machine_window(before, after, cores=2, spare=0.0).generator_cpu == pytest.approx(0.9)


def test_what_others_use_of_cores_that_are_not_ours_takes_nothing_from_us() -> None:
    window = machine_window(
        reading(0.0, 0.0, 0.0, 0.0), reading(10.0, 65.0, 0.0, 0.0), cores=2, spare=6.0
    )

    assert window.foreign_cpu == pytest.approx(0.5)


def test_what_all_participants_used_is_added_up() -> None:
    window = machine_window(
        reading(0.0, 100.0, 5.0, 7.0), reading(10.0, 115.0, 8.0, 11.0), cores=2, spare=0.0
    )

    assert window.participants_cpu == pytest.approx(0.7)


def test_participants_cannot_have_used_more_than_was_used_at_all() -> None:
    # A server that was first seen at the end, with a minute of earlier work.
    used = {1: 2.0, 2: 0.0, 20: 60.0}
    after = CpuReading(10.0, 8.0, used, frozenset({1}), server=frozenset({20}))

    window = machine_window(reading(0.0, 0.0, 0.0, 0.0), after, cores=2, spare=0.0)

    assert window.participants_cpu == pytest.approx(0.8)
    assert window.server_cpu is None


def with_server(at_seconds: float, machine: float, **used: float) -> CpuReading:
    """Process 2 has started what is named by its id."""
    server = {int(pid.removeprefix("p")): seconds for pid, seconds in used.items()}
    return CpuReading(
        at_seconds,
        machine,
        {1: 0.0, 2: 0.0, **server},
        frozenset({1}),
        {1: frozenset({1}), 2: frozenset({2}), min(server): frozenset(server)},
        frozenset(server),
    )


@pytest.mark.parametrize(
    ("after", "cpu"),
    [
        (with_server(10.0, 12.0, p8=1.0, p9=13.0), 0.9),
        (with_server(10.0, 12.0, p8=6.0, p10=8.0), 0.9),
        (with_server(10.0, 12.0, p20=2.0, p21=3.0), 0.5),
    ],
    ids=["works", "a backend has ended", "was restarted"],
)
def test_what_the_server_used_is_known_by_itself(after: CpuReading, cpu: float) -> None:
    before = with_server(0.0, 0.0, p8=1.0, p9=4.0)

    assert machine_window(before, after, cores=2, spare=0.0).server_cpu == pytest.approx(cpu)


def test_readings_that_cross_give_nothing_and_never_less() -> None:
    window = machine_window(
        reading(0.0, 100.0, 5.0, 7.0), reading(10.0, 100.0, 5.0, 8.0), cores=2, spare=0.0
    )

    assert (window.generator_cpu, window.foreign_cpu) == (0.0, 0.0)


@contextmanager
def worker() -> Iterator[int]:
    """A process that has used CPU in a child that has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def test_children_that_have_ended_count_for_their_parent() -> None:
    with worker() as pid:
        used = read_cpu(Participants((), (pid,))).participants

    # The kernel tells whole ticks of user and of system time.
    assert used[pid] >= 0.35


def test_what_belongs_to_the_rig_is_not_the_generators_though_it_has_started_it() -> None:
    with worker() as pid:
        taken = read_cpu(Participants((os.getpid(),), (pid,)))

    assert os.getpid() in taken.generator
    assert pid in taken.participants
    assert pid not in taken.generator


def test_whoever_has_started_the_generator_does_not_take_it_over() -> None:
    with worker() as pid:
        taken = read_cpu(Participants((pid,), (os.getpid(),)))

    assert taken.generator == {pid}
    assert os.getpid() in taken.participants


def test_a_process_that_has_ended_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert read_cpu(Participants((process.pid,), (process.pid,))).participants == {}


def test_a_participant_that_is_no_server_is_not_taken_for_one() -> None:
    assert read_cpu(Participants((), (os.getpid(),))).server == frozenset()


def test_what_is_no_server_has_no_first_process() -> None:
    assert postmaster_of(os.getpid()) is None
    assert postmaster_of(None) is None


def test_a_server_that_was_restarted_takes_none_of_its_earlier_time_along() -> None:
    trees = {1: frozenset({1}), 8: frozenset({8, 9})}
    before = CpuReading(0.0, 0.0, {1: 1.0, 8: 50.0, 9: 50.0}, frozenset({1}), trees)
    after = CpuReading(
        10.0, 8.0, {1: 2.0, 20: 3.0}, frozenset({1}), {1: frozenset({1}), 20: frozenset({20})}
    )

    assert machine_window(before, after, cores=2, spare=0.0).foreign_cpu == pytest.approx(0.4)
