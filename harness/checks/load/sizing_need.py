"""How many connections one process needs, whatever the round of a sweep.

A module of its own because the size, its reasons and the cases in which there is none all read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

from harness.checks.load.bounds import Bounds
from harness.checks.load.sizing_curve import Curve
from harness.checks.load.sizing_limit import Limit

__all__ = ["HEADROOM", "Need"]

HEADROOM = 1.5
"""The bounds met the measured knee within a factor of two (7.1 for 8, 1.1 for 1 [measured])."""
_SMALLEST = 2
"""One connection makes every request wait for every other."""


@dataclass(frozen=True, slots=True)
class Need:
    """What decides a size."""

    bounds: Bounds
    curve: Curve
    limit: Limit | None
    """What stopped throughput in the sweep; None where it rose to the end."""
    target_rate: float | None
    """Requests a second of all processes of the fleet together; None without a target."""
    processes: int
    """Of the fleet, all replicas together."""
    nested: int
    """Connections that make a deadlock impossible."""
    users: int
    """Of the sweep, of whom `nested` is true."""
    ceiling: int | None
    """Connections that the server has for one process; None where nobody knows."""
    beside: int = 0
    """Connections that the other pools of one process may take, on this server or on another."""

    @property
    def rate(self) -> float | None:
        """Requests a second that one process has to serve; None without a target."""
        return self.target_rate / self.processes if self.target_rate is not None else None

    @property
    def largest(self) -> int:
        """Size of the sweep, which stands for a knee beyond it."""
        return self.curve.points[-1].size

    @property
    def share(self) -> float:
        """Of a knee, which is one process's: processes share what the database can work on."""
        if self.limit is not Limit.DATABASE:
            return 1.0
        return self.curve.processes / self.processes

    def size(self, knee: int | None, *, stretch: float = 1.0) -> int:
        """Connections, without regard to the server's room.

        Args:
            knee: Measured; None where there was none.
            stretch: How much longer connections were held in this round than in the middle one.
        """
        wanted = self.shared(knee or self.largest)
        if self.rate is not None:
            wanted = ceil(self.rate * self.bounds.hold_seconds * stretch * HEADROOM)
        return max(int(min(wanted, self.useful(knee))), self.nested, _SMALLEST)

    def shared(self, knee: int) -> int:
        """What of a knee belongs to one process of the fleet."""
        return max(ceil(knee * self.share), 1)

    def useful(self, knee: int | None) -> float:
        """Connections beyond which more only queue elsewhere."""
        most = min(self.bounds.knee, inf if knee is None else self.shared(knee))
        return max(ceil(most * HEADROOM), _SMALLEST) if most < inf else inf

    def bounded(self, size: float) -> int:
        """No more than the server has for one process."""
        return int(size if self.ceiling is None else min(size, self.ceiling))

    def is_crowded(self, connections: int) -> bool:
        """Whether a pool of so many has no room beside the process's other pools."""
        return self.ceiling is not None and connections + self.beside > self.ceiling

    def measured(self, up_to: float = inf) -> float:
        """The most that the fleet would serve if each process did as well as in the sweep.

        Args:
            up_to: Connections of one process: larger pools of the sweep do not count.
        """
        rates = [point.highest_rate for point in self.curve.points if point.size <= up_to]
        scale = 1.0 if self.limit is Limit.DATABASE else self.processes / self.curve.processes
        return max(rates, default=0.0) * scale
