"""What a sweep tries, with how many users and for how long: arithmetic, apart from the measuring.

Each slice costs a restart of the application, so a sweep tries few sizes, doubling, around the
place where the ramp bent; and a slice is as long as a verdict on throughput needs, no longer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

from harness.capture.windows import LoadWindow, PoolWindow, ServerWindow
from harness.checks.load.bounds import Bounds
from harness.checks.load.figures import SPARE_CPU, main_pool, rate
from harness.checks.load.sizing_curve import knee_of
from harness.checks.load.validity import FEWEST_THROUGHPUT

__all__ = [
    "LONG",
    "SHORT",
    "Form",
    "SweepPlan",
    "doubled",
    "largest_size",
    "order",
    "other_size",
    "own_connections",
    "planned_sweep",
    "ramp_ends",
    "server_room",
    "slice_seconds",
]

_MOST_SIZES = 5
_FEWEST_TOP = 4
"""Three sizes, 1, 2 and 4, are the fewest that show a bend."""
_SPARE_SHARE = 0.9
"""Of the server's free connections: the sampler and consoles need some, too."""
_LONGEST_WAIT_SECONDS = 8.0
"""For a connection: users give up after 10 s, and a queue of those is no throughput."""
_MORE_ANSWERS = 1.2
"""Times the fewest: the expected rate is that of a ramp of three seconds."""


@dataclass(frozen=True, slots=True)
class Form:
    """How much is measured."""

    rounds: int
    """Of the sweep."""
    repeats: int
    """Of one slice that turns out invalid, at most."""
    baseline_seconds: float
    step_seconds: float
    """Of each step of the ramp."""
    most_users: int
    """At the end of the ramp."""
    shortest_seconds: float
    """Of a slice: five whole seconds of rates, and the one that is cut."""
    longest_seconds: float

    def lasting(self, seconds: float | None) -> Form:
        """With slices of exactly this length, if somebody says so."""
        if seconds is None:
            return self
        return replace(self, shortest_seconds=seconds, longest_seconds=seconds)


LONG = Form(
    rounds=3,
    repeats=2,
    baseline_seconds=6.0,
    step_seconds=3.0,
    most_users=64,
    shortest_seconds=6.0,
    longest_seconds=25.0,
)
SHORT = Form(
    rounds=1,
    repeats=1,
    baseline_seconds=4.0,
    step_seconds=3.0,
    most_users=64,
    shortest_seconds=6.0,
    longest_seconds=8.0,
)


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
    sizes = _doubling(_top(ramp), most)
    if asked:
        sizes = tuple(sorted({size for size in asked if size <= most}))
    many = users or _crowd(ramp[-1], max(sizes, default=1), bounds)
    if not asked:
        patient = many / processes * bounds.hold_seconds / _LONGEST_WAIT_SECONDS
        sizes = tuple(size for size in sizes if size >= patient) or sizes[-1:]
    best = max(rate(window) for window in ramp)
    seconds = tuple(
        slice_seconds(min(size * processes / bounds.hold_seconds, best), form) for size in sizes
    )
    return SweepPlan(sizes, many, seconds, room)


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


def slice_seconds(expected_rate: float, form: Form) -> float:
    """How long a slice has to be for a verdict on throughput, within what the form allows."""
    wanted = _MORE_ANSWERS * FEWEST_THROUGHPUT / expected_rate if expected_rate > 0 else inf
    return min(max(wanted, form.shortest_seconds), form.longest_seconds)


def ramp_ends(rates: dict[int, float]) -> bool:
    """Whether the last two steps lie behind the knee; by number of users."""
    knee = knee_of(rates)
    return knee is not None and sum(users > knee for users in rates) > 1


def own_connections(pool: PoolWindow) -> int:
    """Connections that can be out at once; of a pool without a bound those that it keeps."""
    return pool.capacity or pool.size or 1


def server_room(server: ServerWindow | None, processes: int) -> int:
    """Connections that one process may take from the server while sizes are tried."""
    if server is None:
        return _FEWEST_TOP
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
    patient = _LONGEST_WAIT_SECONDS / bounds.cpu_seconds if bounds.cpu_seconds > 0 else inf
    wanted = int(min(max(2 * largest, own), patient)) * last.processes
    return max(wanted, largest * last.processes, last.client.users)


def _top(ramp: Sequence[LoadWindow]) -> int:
    """The largest size worth trying: beyond the knee of the ramp, and beyond what may be why."""
    last = ramp[-1]
    rates = {window.client.users: rate(window) for window in ramp}
    knee = ceil((knee_of(rates) or max(rates)) / last.processes)
    pool = main_pool(last)
    own = own_connections(pool) if pool is not None else 1
    if last.process_cpu < SPARE_CPU and 2 * knee >= own:
        return max(2 * knee, 2 * own)
    return 2 * knee


def _doubling(top: int, most: int) -> tuple[int, ...]:
    """Powers of two up to the first that is as large as `top`."""
    sizes = [size for size in _powers() if size <= most and size < 2 * max(top, _FEWEST_TOP)]
    return tuple(sizes[-_MOST_SIZES:])


def _powers() -> Iterator[int]:
    return (2**power for power in range(13))
