"""What the pools of the application went through in one run: pure, of readings at both ends.

Each process by itself, because what has leaked in one of them does not come back in another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.capture.differences import load_window
from harness.capture.growth import Json
from harness.capture.traffic import PoolRow
from harness.capture.windows import ClientWindow
from harness.checks.load.leak import leak
from harness.checks.load.validity import unread
from harness.findings import ProbeVerdict
from harness.load.story import pool_row
from harness.rig.protocol import Stretch

__all__ = ["PoolsSeen", "pools_seen"]


@dataclass(frozen=True, slots=True)
class PoolsSeen:
    """The pools of all processes that were read, each with what happened to it in the run."""

    pools: tuple[PoolRow, ...]
    why_unread: str = ""
    """Why others were not; empty if all were."""
    leak: ProbeVerdict | None = None
    """Whether all connections came back; None where no process was read."""


def pools_seen(stretch: Stretch, client: ClientWindow) -> PoolsSeen | None:
    """What happened to the pools of each process between the readings.

    Args:
        stretch: The readings.
        client: The other side of it.

    Returns:
        None where no process has told anything, and none should have: there is no probe.
    """
    # What was left behind by clients may have ended badly since. Only counts may be of the end:
    # what is out then is in use.
    latest = {pid: stretch.at_rest.get(pid, status) for pid, status in stretch.after.items()}
    whole = load_window(
        seconds=stretch.seconds,
        client=client,
        before=stretch.before,
        after=latest,
        at_rest={
            pid: {**status, "outstanding": _of_run(status, stretch.before.get(pid))}
            for pid, status in stretch.at_rest.items()
        },
        silent=stretch.silent,
    )
    if not whole.processes:
        return None
    is_one = whole.processes == 1
    rows: list[PoolRow] = []
    for pid, status in latest.items():
        earlier = {pid: stretch.before[pid]} if pid in stretch.before else {}
        window = load_window(
            seconds=stretch.seconds,
            client=client,
            before=earlier,
            after={pid: status},
            silent=stretch.silent,
        )
        suffix = "" if is_one else f" of process {pid}"
        taken = [] if pid not in stretch.at_rest else _of_run(status, earlier.get(pid))
        out = Counter(checkout["pool"] for checkout in taken)
        rows += [pool_row(pool, suffix=suffix, out=out[pool.name]) for pool in window.pools]
    returned = leak(whole, may_be_unused=True).verdict
    return PoolsSeen(tuple(rows), unread(whole, at_rest=True), returned)


def _of_run(status: Json, earlier: Json | None) -> list[Json]:
    """The connections that are out, and were taken since the earlier reading.

    By the process's own clock, in which nobody's answer is late.
    """
    since_seconds = 0.0
    if earlier is not None and earlier["boot_id"] == status["boot_id"]:
        since_seconds = earlier["uptime_seconds"]
    return [
        checkout
        for checkout in status["outstanding"]
        if status["uptime_seconds"] - checkout["age_seconds"] >= since_seconds
    ]
