"""The operational bounds of a process: what no pool size can exceed.

Source: P. J. Denning, J. P. Buzen, The Operational Analysis of Queueing Network Models (1978): ``X
<= min(p / H0, 1 / D)``, for ``p`` connections that a request holds for ``H0`` seconds and ``D`` CPU
seconds per request. ``H0`` comes from a load of one user: under load rate times hold time equals
the number of connections at every size (7.9 at 8, 30.9 at 32 [measured]), so that Little's law on
observed figures recommends whatever is set. ``D`` is that of many users, if theirs is less: a
process spends 0.5 % of a core on waiting [measured], beside which one user's own slow requests may
be nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import median

from harness.capture.windows import LoadWindow
from harness.checks.load.figures import cpu_per_request, main_pools

__all__ = ["Bounds", "bounds_of"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one process."""

    hold_seconds: float
    """``H0``: connections times seconds that one request holds, without load."""
    cpu_seconds: float
    """``D``: CPU of one request, waiting left out."""

    @property
    def knee(self) -> float:
        """Connections beyond which CPU is the limit; infinite where it costs none."""
        return self.hold_seconds / self.cpu_seconds if self.cpu_seconds > 0 else inf

    def rate(self, size: int) -> float:
        """Requests a second that one process cannot exceed with a pool of this size."""
        by_pool = size / self.hold_seconds if self.hold_seconds > 0 else inf
        by_cpu = 1 / self.cpu_seconds if self.cpu_seconds > 0 else inf
        return min(by_pool, by_cpu)

    def processes_for(self, rate: float) -> int:
        """Processes below which this many requests a second need more CPU than there is."""
        return max(ceil(rate * self.cpu_seconds), 1)


def bounds_of(baseline: LoadWindow, loads: Sequence[LoadWindow] = ()) -> Bounds | None:
    """The bounds; None where one user took no connection.

    Args:
        baseline: A load of one user.
        loads: Valid loads of more of them.
    """
    requests = baseline.client.requests
    # The requests are those of all processes, and so are the connections that they held.
    seconds = sum(pool.hold.mean_seconds * pool.hold.count for pool in main_pools(baseline))
    if seconds <= 0 or not requests:
        return None
    cpu_seconds = cpu_per_request(baseline)
    if loads:
        cpu_seconds = min(cpu_seconds, median(map(cpu_per_request, loads)))
    return Bounds(seconds / requests, cpu_seconds)
