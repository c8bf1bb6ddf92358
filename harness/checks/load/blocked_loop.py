"""Event loops that stood still because somebody waited on them for the database.

Only a stack proves it: a stall without one may be a garbage collection, a machine that ran
something else, or a suspended process. Code of the application that is no database call blocks the
loop too if it waits; if it computes, the loop is saturated, which is another question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.capture.windows import LoadWindow, Stall, StallCause
from harness.checks.load.figures import SATURATED_CPU, milliseconds, percent
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KIND", "LAG_SECONDS", "OTHER_SHARE", "STALL_SECONDS", "blocked_loop"]

PROBE = "blocked-loop"
KIND = "blocked-loop"

STALL_SECONDS = 0.1
"""Of one stall: a route without a database stayed below it while a pool was exhausted in threads
(0.094 s at most), and took 20.7 s while it was exhausted on the loop [measured]."""
LAG_SECONDS = 0.05
"""Of the 99th percentile: what the watchdog takes for a stall at all."""
OTHER_SHARE = 0.1
"""Of the window, for code that is no database call: less is a start-up, an import, a collection."""


@dataclass(frozen=True, slots=True)
class _Repair:
    what: str
    fix: str


_REPAIRS: Mapping[StallCause, _Repair] = {
    StallCause.POOL_WAIT: _Repair(
        "waited for a connection of a sync pool",
        "declare the endpoint with `def`, or use an async engine: who could give a connection back "
        "cannot run while the loop waits for one",
    ),
    StallCause.SYNC_SQL: _Repair(
        "waited for a sync driver's answer",
        "declare the endpoint with `def`, so that it runs in a thread, or use an async driver",
    ),
    StallCause.OTHER: _Repair(
        "ran code that does not await",
        "await an async client instead, or move the call into a thread: await "
        "run_in_threadpool(…), anyio.to_thread.run_sync(…)",
    ),
}


def blocked_loop(window: LoadWindow) -> Judged:
    """Whether an event loop served nobody while it waited."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    findings = [_finding(window, stall) for stall in _longest(_proven(window))]
    if findings:
        return found(PROBE, findings, is_explanation=True)
    lag = window.loop.lag
    return passed(
        PROBE,
        f"no stall of a loop has a database call on its stack; lag p99 "
        f"{milliseconds(lag.p99_seconds)}, longest {milliseconds(lag.max_seconds)}",
        unless=unread(window),
    )


def _longest(stalls: Iterable[Stall]) -> Iterable[Stall]:
    """Of each place in several processes the stall of the one that stood there longest."""
    by_place: dict[tuple[str, ...], Stall] = {}
    for stall in sorted(stalls, key=lambda stall: stall.seconds, reverse=True):
        line = (stall.site.path, stall.site.function) if stall.site else ()
        by_place.setdefault((stall.cause, stall.route, *line), stall)
    return by_place.values()


def _proven(window: LoadWindow) -> Iterator[Stall]:
    is_waiting = window.process_cpu < SATURATED_CPU and not invalid(window, Basis.SHARES)
    for stall in window.loop.stalls:
        if stall.cause is StallCause.OTHER:
            is_share = stall.seconds > OTHER_SHARE * window.seconds
            if stall.site is not None and is_waiting and is_share and _is_long(stall):
                yield stall
        elif _is_long(stall) or _lag_seconds(window, stall) > LAG_SECONDS:
            yield stall


def _is_long(stall: Stall) -> bool:
    return stall.longest_seconds > STALL_SECONDS


def _lag_seconds(window: LoadWindow, stall: Stall) -> float:
    """Of its own loop: another one may be late for other reasons."""
    known = stall.lag_p99_seconds
    return window.loop.lag.p99_seconds if known is None else known


def _where(stall: Stall) -> str:
    return stall.route or (f"{stall.site.path}::{stall.site.function}" if stall.site else "")


def _finding(window: LoadWindow, stall: Stall) -> Finding:
    repair = _REPAIRS[stall.cause]
    return Finding(
        kind=KIND,
        label=stall.cause,
        anchor=_where(stall) or EVERYWHERE,
        severity=Severity.ERROR,
        title=f"the event loop {repair.what} and served nobody for {milliseconds(stall.seconds)} "
        f"of {window.seconds:.0f} s, {milliseconds(stall.longest_seconds)} at a time",
        fix=repair.fix,
        site=stall.site,
        evidence=(
            ("stalls", str(stall.count)),
            ("longest stall", milliseconds(stall.longest_seconds)),
            ("share of the time", percent(min(stall.seconds / window.seconds, 1.0))),
            ("lag p99", milliseconds(_lag_seconds(window, stall))),
        ),
    )
