"""What grows with every request: connections, memory, threads, files, failures, time.

The first stretch is left out of every trend: pools fill in it, statements are compiled, caches
grow to what they will be. Connections are counted, so that one that stays out is a leak in the
first stretch too, and on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from harness.capture.soaking import ProcessUse, SoakStretch
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted, milliseconds, percent
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.leak import leak
from harness.checks.load.overflow_churn import overflow_churn
from harness.checks.load.trend import FEWEST_POINTS, Trend, trend_of
from harness.checks.load.validity import BAD_SHARE, NO_PROBE, Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KIND", "LATENCY_PROBE", "drift", "slowing"]

PROBE = "soak"
LATENCY_PROBE = "soak-latency"
KIND = "drift"

_LEAST_MEMORY_BYTES = 8 * 1024**2
"""After the first stretch. A Python process takes memory in steps of up to a megabyte, and an
application without a leak grew by less than three in a soak of 20 s [measured]."""
_LEVELLING = 0.5
"""Growth of the second half over that of the first: below, it is a cache that gets full."""
_SLOWER = 1.5
"""95th percentile at the end over that at the beginning: more than two buckets of the histogram it
is read from, each 19 % wide."""
_TIMES = 1000


def drift(stretches: Sequence[SoakStretch]) -> Judged:
    """Whether what is counted grows from stretch to stretch."""
    if not stretches:
        return undecided(PROBE, "no stretch of load was recorded")
    why = next(filter(None, (invalid(item.window, Basis.COUNTS) for item in stretches)), "")
    if why == NO_PROBE:
        return skipped(PROBE, why)
    if why:
        return undecided(PROBE, why)
    findings = [*_leaks(stretches), *_failing(stretches), *_growing(stretches), *_churn(stretches)]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    if not any(item.window.client.ok for item in stretches):
        requests = counted(_requests(stretches)[-1], "request")
        return undecided(PROBE, f"none of {requests} was answered well: see the plan")
    not_read = (unread(item.window, at_rest=True) for item in stretches)
    return passed(PROBE, _calm(stretches), unless=next(filter(None, not_read), ""))


def slowing(stretches: Sequence[SoakStretch]) -> Judged:
    """Whether answers take longer from stretch to stretch: of those in which that can be told."""
    later = list(zip(_requests(stretches), stretches, strict=True))[1:]
    reasons = [invalid(item.window, Basis.SHARES) for _, item in later]
    points = [
        (at, item.window.client.latency.p95_seconds)
        for (at, item), why in zip(later, reasons, strict=True)
        if not why
    ]
    trend = trend_of(points)
    if trend is None:
        why = next(filter(None, reasons), "")
        told = f"{len(points)} of {counted(len(later), 'stretch')} could be judged"
        return undecided(
            LATENCY_PROBE, f"{told}, {FEWEST_POINTS} needed{f': {why}' if why else ''}"
        )
    first, last = points[0][1], points[-1][1]
    if trend.is_rising and first and (first + trend.growth) / first >= _SLOWER:
        return found(LATENCY_PROBE, [_slower(trend, first, last)], is_explanation=False)
    return passed(
        LATENCY_PROBE, f"p95 {milliseconds(first)} at first, {milliseconds(last)} at last"
    )


def _requests(stretches: Sequence[SoakStretch]) -> list[int]:
    """How many there had been by the end of each stretch."""
    return list(accumulate(item.window.client.requests for item in stretches))


def _leaks(stretches: Sequence[SoakStretch]) -> Iterator[Finding]:
    """Of each leak what the last stretch tells that shows it."""
    by_identity = {
        finding.identity: finding for item in stretches for finding in leak(item.window).findings
    }
    out = [item.checked_out for item in stretches]
    requests = _requests(stretches)[-1]
    per_thousand = out[-1] / requests * _TIMES if requests else 0.0
    told = (
        ("connections out after each stretch", ", ".join(map(str, out))),
        ("for 1000 requests", f"{per_thousand:.1f}"),
    )
    for finding in by_identity.values():
        is_out = any(out) and finding.label != "reclaimed"
        yield replace(finding, evidence=(*finding.evidence, *told)) if is_out else finding


def _failing(stretches: Sequence[SoakStretch]) -> Iterator[Finding]:
    """Answers that are good at first, and not at last."""
    first, last = (_failed_share(item.window) for item in (stretches[0], stretches[-1]))
    if first > BAD_SHARE or last <= BAD_SHARE:
        return
    yield _finding(
        "failures",
        Severity.ERROR,
        f"{percent(last)} of the requests fail at last, {percent(first)} at first",
        "look at what is used up: the other findings, the log, limits of open files and of the "
        "server's connections",
    )


def _failed_share(window: LoadWindow) -> float:
    client = window.client
    return (client.requests - client.ok) / client.requests if client.requests else 0.0


def _churn(stretches: Sequence[SoakStretch]) -> Iterator[Finding]:
    """Connections that a load which does not change makes again and again."""
    later = [overflow_churn(item.window).findings for item in stretches[1:]]
    shown = [findings for findings in later if findings]
    if len(shown) * 2 > len(later):
        yield from shown[-1]


def _growing(stretches: Sequence[SoakStretch]) -> Iterator[Finding]:
    requests = _requests(stretches)[1:]
    uses = [item.use for item in stretches[1:]]
    known = [(at, use) for at, use in zip(requests, uses, strict=True) if use is not None]
    yield from _memory([(at, float(use.memory_bytes)) for at, use in known])
    for label, read, fix in _COUNTS:
        points = [(at, float(read(use))) for at, use in known]
        trend = trend_of(points)
        # One more in every stretch; less is a pool of threads that finds its size.
        if trend is not None and trend.is_rising and trend.growth >= len(points) - 1:
            yield _finding(
                label,
                Severity.WARNING,
                f"{label} grew from {points[0][1]:.0f} to {points[-1][1]:.0f}, and by "
                f"{trend.slope * _TIMES:.1f} for 1000 requests",
                fix,
                *_evidence(trend, points, [f"{value:.0f}" for _, value in points]),
            )


def _memory(points: Sequence[tuple[float, float]]) -> Iterator[Finding]:
    trend = trend_of(points)
    if trend is None or not trend.is_rising or trend.growth < _LEAST_MEMORY_BYTES:
        return
    middle = points[len(points) // 2][1]
    early, late = middle - points[0][1], points[-1][1] - middle
    if late < _LEVELLING * early:
        return
    yield _finding(
        "memory",
        Severity.WARNING,
        f"memory grew from {_megabytes(points[0][1])} to {_megabytes(points[-1][1])}, and by "
        f"{trend.slope / 1024:.1f} kB for each request",
        "look for what is kept for each request: a list or dict of the module, a cache without a "
        "limit (tracemalloc shows the line)",
        *_evidence(trend, points, [_megabytes(value) for _, value in points]),
    )


def _evidence(
    trend: Trend, points: Sequence[tuple[float, float]], told: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    shown = [told[0], told[len(told) // 2], told[-1]]
    return (
        ("first, middle, last", ", ".join(shown)),
        ("stretches compared", str(len(points))),
        ("pairs of them that rise", percent(trend.rising_share)),
        ("requests between", f"{points[-1][0] - points[0][0]:.0f}"),
    )


def _slower(trend: Trend, first: float, last: float) -> Finding:
    return _finding(
        "latency",
        Severity.WARNING,
        f"p95 grew from {milliseconds(first)} to {milliseconds(last)} under the same load",
        "look for what becomes longer with every request: a table without an index that is "
        "written to, a list that is searched",
        ("pairs of stretches that rise", percent(trend.rising_share)),
    )


def _finding(
    label: str, severity: Severity, title: str, fix: str, *evidence: tuple[str, str]
) -> Finding:
    return Finding(
        kind=KIND,
        label=label,
        anchor=EVERYWHERE,
        severity=severity,
        title=title,
        fix=fix,
        evidence=evidence,
    )


def _calm(stretches: Sequence[SoakStretch]) -> str:
    requests = _requests(stretches)[-1]
    line = f"{counted(requests, 'request')} in {counted(len(stretches), 'stretch')}: all "
    line += "connections came back"
    if (failed := _failed_share(stretches[-1].window)) > BAD_SHARE:
        line += f"; {percent(failed)} failed at last, as at first"
    uses = [item.use for item in stretches if item.use is not None]
    if not uses:
        return line
    first, last = uses[0], uses[-1]
    return (
        f"{line}; memory {_megabytes(first.memory_bytes)} to {_megabytes(last.memory_bytes)}, "
        f"threads {first.threads} to {last.threads}, files {first.open_files} to {last.open_files}"
    )


def _megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1024**2:.0f} MB"


def _threads(use: ProcessUse) -> int:
    return use.threads


def _open_files(use: ProcessUse) -> int:
    return use.open_files


_COUNTS: tuple[tuple[str, Callable[[ProcessUse], int], str], ...] = (
    (
        "threads",
        _threads,
        "look for what starts a thread for each request: an executor made in the endpoint",
    ),
    (
        "open files",
        _open_files,
        "close what is opened for each request: HTTP clients, files, engines made in the endpoint",
    ),
)
