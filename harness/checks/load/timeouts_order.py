"""Which time limit strikes first: a statement's, then the pool's, then the client's.

With SQLAlchemy's default of 30 s a proxy gives up before the pool does: exhaustion shows as a 504
without one error of the application, and its answer goes to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.capture.windows import LoadWindow
from harness.checks.load.figures import main_pool, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped
from harness.findings import Finding, Severity

__all__ = ["KIND", "timeouts_order"]

PROBE = "timeouts-order"
KIND = "timeouts-order"


def timeouts_order(window: LoadWindow) -> Judged:
    """Whether the inner time limits are shorter than the outer ones; unknown ones are left out."""
    pool = main_pool(window)
    if pool is None or pool.timeout_seconds is None:
        return skipped(PROBE, "the pool's time limit is not known")
    client = window.client.timeout_seconds
    statement = window.server.statement_timeout_seconds if window.server is not None else None
    if client is None and statement is None:
        return skipped(PROBE, "neither the client's nor the statements' time limit is known")
    findings = list(_findings(statement, pool.timeout_seconds, client))
    if findings:
        return found(PROBE, findings, is_explanation=False)
    return passed(PROBE, f"inner time limits strike first; the pool's is {pool.timeout_seconds} s")


def _findings(statement: float | None, pool: float, client: float | None) -> Iterator[Finding]:
    if client is not None and pool >= client:
        yield _finding(
            "client",
            Severity.WARNING,
            f"the client gives up after {milliseconds(client)}, the pool after "
            f"{milliseconds(pool)}: an exhausted pool answers nobody",
            f"set pool_timeout well below {milliseconds(client)}; 2 to 5 s suit most services",
        )
    if statement is not None and (statement == 0 or statement >= pool):
        limit = "no time limit" if statement == 0 else f"a limit of {milliseconds(statement)}"
        yield _finding(
            "statement",
            Severity.NOTE,
            f"statements have {limit}, the pool {milliseconds(pool)}: one slow statement makes "
            "callers of the pool fail",
            "ALTER ROLE … SET statement_timeout to less than pool_timeout",
        )


def _finding(label: str, severity: Severity, title: str, fix: str) -> Finding:
    return Finding(
        kind=KIND, label=label, anchor=EVERYWHERE, severity=severity, title=title, fix=fix
    )
