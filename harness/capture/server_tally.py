"""What a PostgreSQL counted between two moments: plain facts, from `pg_stat_statements`.

The third source of counts beside events and the echo log, and the only one that sees what runs
without SQLAlchemy. The values live here, below the checks that compare them; `database` asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.capture.fingerprint import Fingerprint
from harness.findings import Verdict

__all__ = ["ServerShape", "ServerTally"]


@dataclass(frozen=True, slots=True)
class ServerShape:
    """What the server ran of one shape."""

    shape: Fingerprint
    """In the server's form, see `harness.capture.server_shapes`."""
    calls: int
    rows: int
    """Returned or affected."""
    seconds: float
    """Executing, without planning, sending and locks of the client."""


@dataclass(frozen=True, slots=True)
class ServerTally:
    """What was run in one database by its roles."""

    database: str
    verdict: Verdict
    """``pass``; ``inconclusive`` where counts got lost; ``skipped`` where there are none."""
    reason: str = ""
    """Why it is not ``pass``."""
    shapes: tuple[ServerShape, ...] = ()
    """Most calls first."""
    other_roles: tuple[tuple[str, int], ...] = ()
    """Calls in the database by roles that were not asked for."""
    has_utility: bool = True
    """Whether the server counts BEGIN, COMMIT, CREATE TABLE and their like."""

    @property
    def calls(self) -> int:
        """How many statements the server ran."""
        return sum(each.calls for each in self.shapes)

    @property
    def seconds(self) -> float:
        """How long it executed them."""
        return sum(each.seconds for each in self.shapes)
