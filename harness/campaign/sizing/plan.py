"""What a sweep tries, and with how many users: arithmetic, apart from the measuring.

Each slice costs a restart of the application, so a sweep tries few sizes, doubling, around the
place where the ramp bent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

from harness.campaign.sizing.comparable import (
    FEWEST_TOP,
    LONGEST_WAIT_SECONDS,
    Crowd,
    too_few,
    why_cramped,
    why_left_out,
)
from harness.campaign.sizing.form import Form, slice_seconds
from harness.capture.windows import LoadWindow, PoolWindow, ServerWindow
from harness.checks.load.bounds import Bounds
from harness.checks.load.figures import SPARE_CPU, main_pool, rate
from harness.checks.load.sizing_curve import knee_of

__all__ = [
    "SweepPlan",
    "doubled",
    "largest_size",
    "order",
    "other_size",
    "own_connections",
    "planned_sweep",
    "ramp_ends",
    "server_room",
]

_MOST_SIZES = 5
_SPARE_SHARE = 0.9
"""Of the server's free connections: the sampler and consoles need some, too."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a sweep tries."""

    sizes: tuple[int, ...]
    """Ascending."""
    users: int
    """The same for all sizes."""
    seconds: tuple[float, ...]
    """Of a slice, for each of the sizes."""
    room: int
    """Connections that the server has for one process."""
    why_few: str = ""
    """Why it is not worth holding: fewer sizes can be compared than a verdict needs."""
    left_out: str = ""
    """Why sizes that somebody asked for are not tried, by name; empty where all are."""

    @property
    def slices(self) -> tuple[tuple[int, float], ...]:
        """Sizes and seconds."""
        return tuple(zip(self.sizes, self.seconds, strict=True))


def planned_sweep(
    ramp: Sequence[LoadWindow],
    *,
    bounds: Bounds,
    form: Form,
    room: int,
    asked: Sequence[int] = (),
    users: int | None = None,
) -> SweepPlan:
    """The sizes to try.

    Args:
        ramp: The application's own pool under more and more users; at least one window.
        bounds: Of one process.
        form: How much is measured.
        room: Connections that the server has for one process.
        asked: Sizes that somebody wants to have tried.
        users: As many as somebody wants; by default as many as keep every pool full.
    """
    processes = ramp[-1].processes
    most = largest_size(room, users, processes)
    sizes, why_few, left_out = _doubling(_top(ramp), most), "", ""
    if asked:
        wanted = tuple(sorted(set(asked)))
        sizes = tuple(size for size in wanted if size <= most)
        left_out = why_left_out(wanted, room=room, users=users, processes=processes)
        why_few = too_few(sizes, left_out) if left_out else ""
    many = users or _crowd(ramp[-1], max(sizes, default=1), bounds)
    if sizes and not asked:
        crowd = Crowd(many, processes, bounds.hold_seconds)
        many = users or crowd.thinned(sizes).users
        why_few = why_cramped(sizes, room=room, users=users, processes=processes)
        sizes, why_left = replace(crowd, users=many).comparable(sizes, form)
        why_few = why_few or why_left
    best = max(rate(window) for window in ramp)
    seconds = tuple(
        slice_seconds(min(size * processes / bounds.hold_seconds, best), form) for size in sizes
    )
    return SweepPlan(sizes, many, seconds, room, why_few, left_out)


def doubled(plan: SweepPlan, processes: int) -> SweepPlan | None:
    """The plan with one size more, where throughput rose to the last one; None without room."""
    size = 2 * plan.sizes[-1]
    if size > plan.room or size * processes > plan.users:
        return None
    return replace(plan, sizes=(*plan.sizes, size), seconds=(*plan.seconds, plan.seconds[-1]))


def other_size(pool: PoolWindow, most: int) -> tuple[int, ...]:
    """The one size that tells most beside the application's own: twice as many, or half."""
    own = own_connections(pool)
    return (2 * own,) if 2 * own <= most else (max(own // 2, 1),)


def largest_size(room: int, users: int | None, processes: int) -> int:
    """Connections of one process that both the server has and so many users can fill."""
    return min(room, users // processes) if users else room


def ramp_ends(rates: dict[int, float]) -> bool:
    """Whether the last two steps lie behind the knee; by number of users."""
    knee = _knee(rates)
    return knee is not None and sum(users > knee for users in rates) > 1


def own_connections(pool: PoolWindow) -> int:
    """Connections that can be out at once; of a pool without a bound those that it keeps."""
    return pool.capacity or pool.size or 1


def server_room(server: ServerWindow | None, processes: int) -> int:
    """Connections that one process may take from the server while sizes are tried."""
    if server is None:
        return FEWEST_TOP
    left = server.max_connections - server.reserved_connections - round(server.others)
    return max(int(_SPARE_SHARE * left / processes), 1)


def order(sizes: Sequence[int], *, seed: int, number: int) -> list[int]:
    """The sizes in an order of its own for each round.

    What warms up, or disturbs the machine for minutes, would otherwise favour one end of the sweep.
    """
    return random.Random(f"{seed} {number}").sample(list(sizes), len(sizes))  # noqa: S311 - an order


def _crowd(last: LoadWindow, largest: int, bounds: Bounds) -> int:
    """Users: twice what the largest pool holds, and three times what the application's own does.

    Then callers of that wait for longer than they hold, which is what tells a busy database from a
    burst. Where the CPU is spent, more of them would only wait for that.
    """
    pool = main_pool(last)
    own = 3 * own_connections(pool) if pool is not None and last.process_cpu < SPARE_CPU else 1
    patient = LONGEST_WAIT_SECONDS / bounds.cpu_seconds if bounds.cpu_seconds > 0 else inf
    wanted = int(min(max(2 * largest, own), patient)) * last.processes
    return max(wanted, largest * last.processes, last.client.users)


def _top(ramp: Sequence[LoadWindow]) -> int:
    """The largest size worth trying: beyond the knee of the ramp, and beyond what may be why."""
    last = ramp[-1]
    rates = {window.client.users: rate(window) for window in ramp}
    knee = ceil((_knee(rates) or max(rates)) / last.processes)
    pool = main_pool(last)
    own = own_connections(pool) if pool is not None else 1
    if last.process_cpu < SPARE_CPU and 2 * knee >= own:
        return max(2 * knee, 2 * own)
    return 2 * knee


def _knee(rates: Mapping[int, float]) -> int | None:
    """Of the steps that were answered at all: zero has no logarithm."""
    return knee_of({users: each for users, each in rates.items() if each > 0})


def _doubling(top: int, most: int) -> tuple[int, ...]:
    """Powers of two up to the first that is as large as `top`."""
    sizes = [size for size in _powers() if size <= most and size < 2 * max(top, FEWEST_TOP)]
    return tuple(sizes[-_MOST_SIZES:])


def _powers() -> Iterator[int]:
    return (2**power for power in range(13))
