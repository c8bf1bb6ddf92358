"""No pool size is right: the finding behind a recommendation that fails.

Apart from the recommendation, which is told whatever it is; a finding is what can be allowed.
"""

from __future__ import annotations

from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE
from harness.checks.load.pool_sizing import Recommendation
from harness.findings import Finding, Severity, Verdict

__all__ = ["KIND", "unreached"]

KIND = "no-pool-size"


def unreached(told: Recommendation) -> Finding | None:
    """The finding behind a recommendation that no pool size is right; None for any other."""
    if told.verdict is not Verdict.FAIL:
        return None
    needed = told.processes_needed
    fix = "fewer processes, or a pooler in front of the server, or a larger max_connections"
    if needed is not None:
        fix = f"run at least {counted(needed, 'process')}, or do less for each request"
    elif told.knee is not None:
        fix = "make the statements cheaper (indexes, fewer of them, locks)"
    evidence = [("server", str(told.fleet))] if told.fleet is not None else []
    if told.bounds is not None:
        evidence.append(("hold", milliseconds(told.bounds.hold_seconds)))
        evidence.append(("CPU for one request", milliseconds(told.bounds.cpu_seconds)))
    return Finding(
        kind=KIND,
        label="target",
        anchor=EVERYWHERE,
        severity=Severity.ERROR,
        title=told.summary,
        fix=fix,
        evidence=tuple(evidence),
    )
