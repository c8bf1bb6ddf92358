"""How busy the machine was during a stretch of load, and who kept it busy.

Read at both ends and subtracted. Whatever no process of the measurement has used counts as foreign:
processes of other containers cannot be seen, but what they take of the cores can.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.capture.windows import MachineWindow

__all__ = ["CpuReading", "Participants", "machine_window", "postmaster_of", "read_cpu"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# User time has the guests' in it already.
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
_SERVER_NAMES = ("postgres", "postmaster")


@dataclass(frozen=True, slots=True)
class Participants:
    """The processes of a measurement; each stands for all that it has started, too."""

    generator: tuple[int, ...]
    others: tuple[int, ...]
    """The application's, the server's, and the rig itself."""


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds used up to one moment."""

    at_seconds: float
    machine: float
    """Of all cores, with what the hypervisor took."""
    participants: Mapping[int, float]
    """By process id; children that have ended count for their parent."""
    generator: frozenset[int]
    trees: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """By participant: all processes that belong to it."""
    server: frozenset[int] = frozenset()
    """Those of the PostgreSQL server; empty where they are not to be seen."""


def read_cpu(participants: Participants) -> CpuReading:
    """What was used so far."""
    trees = {pid: _used_by(pid) for pid in (*participants.generator, *participants.others)}
    generator, others = (
        {key: value for pid in pids for key, value in trees[pid].items()}
        for pids in (participants.generator, participants.others)
    )
    # The generator has started the rig, and through it all the rest; who has started the generator
    # takes part, too.
    started = {key for pid in participants.others if pid in generator for key in trees[pid]}
    servers = (frozenset(tree) for pid, tree in trees.items() if tree and _is_server(pid))
    return CpuReading(
        at_seconds=time.monotonic(),
        machine=_machine_seconds(),
        participants={**others, **generator},
        generator=frozenset(generator.keys() - started),
        trees={pid: frozenset(tree) for pid, tree in trees.items() if tree},
        server=frozenset[int]().union(*servers),
    )


def machine_window(
    before: CpuReading, after: CpuReading, *, cores: int | None = None, spare: float | None = None
) -> MachineWindow:
    """What lies between two readings.

    Args:
        before: As the stretch began.
        after: As it ended.
        cores: That we may use; default: found out.
        spare: Cores of the machine that we may not use, and others may without taking ours;
            default: found out.
    """
    usable = _usable_cores() if cores is None else cores
    kept_from_us = max(0.0, (os.cpu_count() or usable) - usable) if spare is None else spare
    seconds = max(after.at_seconds - before.at_seconds, 1e-6)
    # Of sums: the time of a process that has ended meanwhile went over to its parent. That of a
    # whole tree that has ended, of a server that was restarted, went nowhere.
    ended = frozenset[int]().union(
        *(tree for pid, tree in before.trees.items() if pid not in after.trees)
    )
    lasting = (spent for pid, spent in before.participants.items() if pid not in ended)
    ours = sum(after.participants.values()) - sum(lasting)
    busy = max(0.0, after.machine - before.machine)
    used = (after.participants[pid] - before.participants.get(pid, 0.0) for pid in after.generator)
    busiest = max(used, default=0.0) / seconds
    return MachineWindow(
        usable,
        generator_cpu=max(0.0, busiest),
        foreign_cpu=max(0.0, (busy - ours) / seconds - kept_from_us),
        # Of a server that is seen at the end alone all of its past would count, too.
        participants_cpu=min(max(0.0, ours), busy) / seconds,
        server_cpu=_server_cpu(before, after, seconds),
    )


def _server_cpu(before: CpuReading, after: CpuReading, seconds: float) -> float | None:
    if not before.server or not after.server:
        return None
    used = sum(after.participants[pid] - before.participants.get(pid, 0.0) for pid in after.server)
    if after.server & before.server:
        # As above: what a backend had used before is its parent's by now. Not after a restart.
        used -= sum(before.participants[pid] for pid in before.server - after.server)
    return max(0.0, used) / seconds


def postmaster_of(backend: int | None) -> int | None:
    """The server's first process, from the id of one that answers a client.

    Returns:
        None where the server's processes cannot be seen: on another machine, or in a container.
    """
    if backend is None:
        return None
    with suppress(psutil.Error):
        parent = psutil.Process(backend).parent()
        if parent is not None and _is_server(parent.pid):
            return int(parent.pid)
    return None


def _is_server(pid: int) -> bool:
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).name().startswith(_SERVER_NAMES))
    return False


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in _BUSY))


def _used_by(pid: int) -> dict[int, float]:
    used: dict[int, float] = {}
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):  # it has ended; its parent has its times now
                times = process.cpu_times()
                ended = times.children_user + times.children_system
                used[int(process.pid)] = float(times.user + times.system + ended)
    return used


def _usable_cores() -> int:
    affine = getattr(os, "sched_getaffinity", None)
    seen = len(affine(0)) if affine is not None else os.cpu_count() or 1
    return max(1, min(seen, _quota() or seen))


def _quota() -> int | None:
    """Whole cores that a container may use; None without a limit."""
    try:
        allowed, period = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if allowed == "max" else round(int(allowed) / int(period))
