"""Processes whose CPU is the limit: the look-alike that a bigger pool makes worse.

On an indexed select, 32 connections instead of one gave no throughput and a 99th percentile that
was five times as long: the wait only moved from the pool into the loop's queue [measured].
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, StallCause
from harness.checks.load.figures import (
    SATURATED_CPU,
    application_cores,
    cores,
    counted,
    cpu_per_request,
    milliseconds,
)
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.checks.load.validity import invalid
from harness.findings import Finding, Severity, SourceLine

__all__ = ["KIND", "saturated_loop"]

PROBE = "saturated-loop"
KIND = "saturated-loop"


def saturated_loop(window: LoadWindow) -> Judged:
    """Whether the application's own CPU time was the limit."""
    if why := invalid(window):
        return undecided(PROBE, why)
    if window.process_cpu < SATURATED_CPU:
        return passed(PROBE, f"the busiest process used {cores(window.process_cpu)}")
    return found(PROBE, [_finding(window)], is_explanation=True)


def _finding(window: LoadWindow) -> Finding:
    each, available = cpu_per_request(window), application_cores(window)
    # A process uses one core at most, and processes beyond the cores share them.
    usable = min(window.processes, available or window.processes)
    most = usable / each if each else float("inf")
    more = "run more processes (uvicorn --workers)"
    if available is not None and window.processes >= available:
        more = f"give it more than {counted(available, 'core')}, and a process for each"
    return Finding(
        kind=KIND,
        label="cpu",
        anchor=EVERYWHERE,
        severity=Severity.NOTE,
        title=f"the busiest process used {cores(window.process_cpu)}: connections are not what "
        f"is missing; {counted(window.processes, 'process')} can serve about {most:.0f} requests "
        "a second",
        fix=f"{more}, or do less for each request: fewer rows, "
        "columns instead of ORM objects; a smaller pool shortens the tail",
        site=_busiest_line(window),
        evidence=(
            ("CPU of the busiest process", cores(window.process_cpu)),
            ("CPU for one request", milliseconds(each)),
            ("most requests a second", f"{most:.0f}"),
            ("lag p99", milliseconds(window.loop.lag.p99_seconds)),
        ),
    )


def _busiest_line(window: LoadWindow) -> SourceLine | None:
    """The line that computed longest at a time without a pause, if one was seen."""
    computing = [
        stall for stall in window.loop.stalls if stall.cause is StallCause.OTHER and stall.site
    ]
    return max(computing, key=lambda stall: stall.seconds).site if computing else None
