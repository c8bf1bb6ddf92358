"""How many connections all processes together may take from the server.

A pool belongs to one process; its size is multiplied by processes, replicas and, while a deployment
rolls, by the old ones that still run beside the new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from harness.capture.windows import ServerWindow

__all__ = ["FILL", "Fleet", "fleet_of"]

FILL = 0.8
"""Of what the server has left: the rest is for migrations, consoles, and a replica more than
planned."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that connects to one server."""

    max_connections: int
    processes: int = 1
    """Of the application, per replica."""
    replicas: int = 1
    surge: float = 2.0
    """Replicas while a deployment rolls over those that are planned: 2 where all new ones start
    before the old ones end, 1.25 with Kubernetes' own default."""
    reserved: int = 3
    """PostgreSQL's own default of superuser_reserved_connections."""
    others: int = 0
    """Connections of other programs."""

    @property
    def pools(self) -> float:
        """As many as there can be at once."""
        return self.processes * self.replicas * self.surge

    @property
    def ceiling(self) -> int:
        """Connections that one process may take, overflow included; 0 for none."""
        left = self.max_connections - self.reserved - self.others
        return max(floor(FILL * left / self.pools), 0)

    def __str__(self) -> str:
        return (
            f"{FILL} x ({self.max_connections} - {self.reserved} reserved - {self.others} others) "
            f"/ ({self.processes} processes x {self.replicas} replicas x {self.surge:g} surge) "
            f"= {self.ceiling}"
        )


def fleet_of(
    server: ServerWindow, *, processes: int, replicas: int = 1, surge: float = 2.0
) -> Fleet:
    """The fleet on a server that was looked into."""
    return Fleet(
        max_connections=server.max_connections,
        processes=processes,
        replicas=replicas,
        surge=surge,
        reserved=server.reserved_connections,
        others=round(server.others),
    )
