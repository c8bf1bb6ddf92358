"""A failed probe as a finding, so that one mechanism, the allowance, accepts either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.findings import Finding, ProbeVerdict, Severity, Verdict

__all__ = ["KINDS", "finding_of"]

_ANCHOR = "the whole application"


@dataclass(frozen=True, slots=True)
class _Repair:
    kind: str
    fix: str


_REPAIRS: Mapping[str, _Repair] = {
    "load": _Repair(
        "failed-requests",
        "start `harness serve` and request the failing routes: it shows what they raise",
    ),
    "pool": _Repair(
        "pool-timeout",
        "hold connections for less time, or raise pool_size and max_overflow",
    ),
    "leak": _Repair(
        "connection-leak",
        "close every session: async with session_maker() as session, or a dependency that yields",
    ),
    "exhaustion": _Repair(
        "pool-exhaustion",
        "answer sqlalchemy.exc.TimeoutError with 503 and Retry-After in an exception handler",
    ),
}

_EXHAUSTION_FIXES: Mapping[str, str] = {
    "stalls": "never wait for a sync pool on the event loop: declare endpoints with `def`, or use "
    "an async engine",
    "hangs": "set pool_timeout below the client's patience (2 to 5 s suit most services), and "
    "statement_timeout below pool_timeout, so that everybody gets an answer",
    "leaks": "close every session, also when waiting for a connection fails or is cancelled",
}

KINDS = frozenset(repair.kind for repair in _REPAIRS.values())
"""The kinds of findings that probes make."""


def finding_of(verdict: ProbeVerdict) -> Finding | None:
    """The finding behind a failed probe; None for any other verdict."""
    if verdict.verdict is not Verdict.FAIL or verdict.probe not in _REPAIRS:
        return None
    repair = _REPAIRS[verdict.probe]
    is_exhaustion = verdict.probe == "exhaustion"
    label = verdict.summary.partition(":")[0] if is_exhaustion else verdict.probe
    return Finding(
        kind=repair.kind,
        label=label,
        anchor=_ANCHOR,
        severity=Severity.ERROR,
        title=verdict.summary,
        fix=_EXHAUSTION_FIXES.get(label, repair.fix),
    )
