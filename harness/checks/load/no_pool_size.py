"""No pool size is right: the finding behind a recommendation that fails.

Apart from the recommendation, which is told whatever it is; a finding is what can be allowed.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE
from harness.checks.load.recommended import Obstacle, Recommendation
from harness.findings import Finding, Severity, Verdict

__all__ = ["KIND", "unreached"]

KIND = "no-pool-size"

_ANSWERS: Mapping[Obstacle, tuple[str, str]] = {
    Obstacle.ROOM: (
        "room",
        "a pooler in front of the server, a larger max_connections, or less surge",
    ),
    Obstacle.DEADLOCK: (
        "deadlock",
        "pass the session down, or bound such requests (Depends(…, max_concurrency=…))",
    ),
    Obstacle.CPU: ("target", "run at least {processes}, or do less for each request"),
    Obstacle.DATABASE: ("target", "make the statements cheaper (indexes, fewer of them, locks)"),
    Obstacle.THREADS: (
        "target",
        "run more processes, each of which has threads of its own; or async def endpoints",
    ),
    Obstacle.UNKNOWN: (
        "target",
        "find out what requests wait for: another service, a semaphore, a lock in the application",
    ),
}
"""The label of the finding, and what to do."""


def unreached(told: Recommendation) -> Finding | None:
    """The finding behind a recommendation that no pool size is right; None for any other."""
    if told.verdict is not Verdict.FAIL:
        return None
    label, fix = _ANSWERS[told.obstacle or Obstacle.UNKNOWN]
    evidence = [("server", str(told.fleet))] if told.fleet is not None else []
    if told.bounds is not None:
        evidence.append(("hold", milliseconds(told.bounds.hold_seconds)))
        evidence.append(("CPU for one request", milliseconds(told.bounds.cpu_seconds)))
    return Finding(
        kind=KIND,
        label=label,
        anchor=EVERYWHERE,
        severity=Severity.ERROR,
        title=told.summary,
        fix=fix.format(processes=counted(told.processes_needed or 2, "process")),
        evidence=tuple(evidence),
    )
