"""Pools that could ask the server for more connections than it has.

No load is needed to see it, and hardly any shows it: the limit is met on the worst day, in the
database instead of the pool, and by everybody else on that server as well. `fleet.py` is the
arithmetic for what to set; here it is said of what is set.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted
from harness.checks.load.fleet import FILL
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KIND", "oversized_pool"]

PROBE = "pool-larger-than-server"
KIND = "pool-larger-than-server"


def oversized_pool(window: LoadWindow) -> Judged:
    """Whether all pools together fit into the server, one replica alone."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if window.server is None:
        return skipped(PROBE, "how many connections the server has is not known")
    sizes = {pool.name: pool.capacity for pool in window.pools if pool.capacity is not None}
    server = window.server
    room = server.max_connections - server.reserved_connections - round(server.others)
    wanted = sum(sizes.values()) * max(window.processes, 1)
    askers = counted(window.processes, "process")
    told = f"{askers} may take {wanted} of the {room} connections that the server has left"
    if wanted <= room:
        return passed(PROBE, told, unless=unread(window))
    return found(PROBE, [_finding(window, told, sizes, room)], is_explanation=False)


def _finding(window: LoadWindow, told: str, sizes: dict[str, int], room: int) -> Finding:
    most = int(FILL * room / max(window.processes, 1))
    return Finding(
        kind=KIND,
        label="pool",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{told}: the rest is refused by the server (53300), and so is everybody else",
        fix=f"pool_size + max_overflow of all pools together at most {most} in each process here, "
        "divided by the replicas, and by two where new ones start before the old ones end",
        evidence=(
            *((name, f"pool_size + max_overflow {size}") for name, size in sizes.items()),
            ("processes", str(window.processes)),
            ("max_connections", f"{room}, without those that are reserved or other programs'"),
        ),
    )
