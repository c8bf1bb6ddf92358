"""What a network between an application and its database can be like: values, and their pace.

Apart from the proxy that brings it about, because a plan of troubles is written in these words, and
because when a piece of data is due can be computed without a socket.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["HEALTHY", "Fate", "Network", "Pace"]

PIECE_BYTES = 1 << 16
_PIECES_PER_SECOND = 20
_SMALLEST_PIECE_BYTES = 64


class Fate(StrEnum):
    """What becomes of a connection."""

    OPEN = "open"
    """It works."""
    RESET = "reset"
    """It is ended by RST, as by a server that crashed; a new one is refused."""
    SILENT = "silent"
    """Nothing answers any more, as behind a firewall that drops packets; what was sent meanwhile
    arrives when it is over, as TCP repeats it."""


@dataclass(frozen=True, slots=True)
class Network:
    """How data travels."""

    delay_seconds: float = 0.0
    """On the way in each direction: a round trip takes twice as long."""
    jitter_seconds: float = 0.0
    """At most as much longer; the order never changes."""
    bytes_per_second: float | None = None
    """Of all connections together, in each direction; None without a limit."""
    existing: Fate = Fate.OPEN
    """Of connections that are open when this begins. Reset ones are gone: later ones are new."""
    new: Fate = Fate.OPEN
    """Of connections that are opened from now on."""

    def __post_init__(self) -> None:
        for name in ("delay_seconds", "jitter_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, and time does not run back")
        if self.bytes_per_second is not None and self.bytes_per_second <= 0:
            raise ValueError("bytes_per_second must be more than 0; Fate.SILENT is nothing at all")


HEALTHY = Network()
"""Nothing is lost, late or slow."""


@dataclass(slots=True, eq=False)
class Pace:
    """When what travels in one direction is due."""

    # Chance, not secrets; a seed so that a run can be repeated.
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - see above
    _free_at: float = 0.0

    def due(self, network: Network, *, now: float) -> float:
        """When something that arrives now may leave, on the clock of `now`."""
        return now + network.delay_seconds + self._chance.uniform(0.0, network.jitter_seconds)

    def piece_bytes(self, network: Network) -> int:
        """How much to send at once: 20 pieces a second keep a slow line even."""
        if network.bytes_per_second is None:
            return PIECE_BYTES
        share = int(network.bytes_per_second / _PIECES_PER_SECOND)
        return min(PIECE_BYTES, max(_SMALLEST_PIECE_BYTES, share))

    def sent_at(self, size_bytes: int, network: Network, *, now: float) -> float:
        """When a piece has gone down the line if it begins now; the line is busy until then."""
        if network.bytes_per_second is None:
            return now
        self._free_at = max(now, self._free_at) + size_bytes / network.bytes_per_second
        return self._free_at
