"""Where no pool size is right: the server has no room, or the target is out of reach.

What was measured comes before what a model says: a rate that the sweep served is no rate that no
pool reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.checks.load.figures import SATURATED_CPU, counted, milliseconds
from harness.checks.load.recommended import Obstacle, Recommendation
from harness.checks.load.sizing_limit import Limit
from harness.checks.load.sizing_need import Need
from harness.findings import Verdict

__all__ = ["out_of_reach"]

_LIMITS: Mapping[Limit, tuple[Obstacle, str]] = {
    Limit.DATABASE: (
        Obstacle.DATABASE,
        "the database was the limit at {rate:.0f}, with CPU to spare; more processes do not help",
    ),
    Limit.THREADS: (
        Obstacle.THREADS,
        "the threads of def endpoints were the limit at {rate:.0f}, with CPU to spare",
    ),
    Limit.UNKNOWN: (
        Obstacle.UNKNOWN,
        "something other than CPU was the limit at {rate:.0f}, and the database was not seen to be",
    ),
}


def out_of_reach(basis: Recommendation, need: Need) -> Recommendation | None:
    """The answer where no pool size is right; None where one is."""
    return next(_answers(replace(basis, verdict=Verdict.FAIL), need), None)


def _answers(failed: Recommendation, need: Need) -> Iterator[Recommendation]:
    if need.ceiling == 0:
        told = f"the server has no connection left for each process: {failed.fleet}"
        yield replace(failed, summary=told, obstacle=Obstacle.ROOM)
    if need.ceiling is not None and need.nested > max(need.ceiling, 1):
        yield replace(failed, summary=_locked(failed, need), obstacle=Obstacle.DEADLOCK)
    if need.target_rate is not None and need.target_rate > need.measured():
        yield from _beyond_limit(failed, need, need.target_rate)
        yield from _beyond_processes(failed, need, need.target_rate)
    if need.target_rate is not None:
        yield from _beyond_room(failed, need, need.target_rate)


def _locked(failed: Recommendation, need: Need) -> str:
    return (
        f"requests hold several connections at once: {need.nested} make a deadlock impossible for "
        f"as many of them as {counted(need.users, 'user')} of the sweep sent, and the server has "
        f"room for {failed.fleet} per process"
    )


def _beyond_processes(failed: Recommendation, need: Need, rate: float) -> Iterator[Recommendation]:
    each = _cpu_seconds(need)
    needed = replace(need.bounds, cpu_seconds=each).processes_for(rate)
    if needed > need.processes:
        yield replace(
            failed,
            obstacle=Obstacle.CPU,
            processes_needed=needed,
            summary=f"{_no_size(rate)} with {counted(need.processes, 'process')}: at least "
            f"{counted(needed, 'process')}, for {milliseconds(each)} of CPU per request",
        )


def _cpu_seconds(need: Need) -> float:
    """Of one request: under load where CPU was spent, since that is what was served with it."""
    best = need.curve.best
    if best.process_cpu >= SATURATED_CPU:
        return best.process_cpu * need.curve.processes / best.rate
    return need.bounds.cpu_seconds


def _beyond_limit(failed: Recommendation, need: Need, rate: float) -> Iterator[Recommendation]:
    if need.limit is not None and need.limit in _LIMITS:
        obstacle, why = _LIMITS[need.limit]
        told = f"{_no_size(rate)}: {why.format(rate=need.curve.best.rate)}"
        yield replace(failed, summary=told, obstacle=obstacle)


def _beyond_room(failed: Recommendation, need: Need, rate: float) -> Iterator[Recommendation]:
    """More processes get fewer connections each: all of them together have no more."""
    if need.ceiling is None:
        return
    most = need.processes * need.ceiling / need.bounds.hold_seconds
    if rate > most and rate > need.measured(up_to=need.ceiling):
        told = (
            f"{_no_size(rate)}: the server has room for {failed.fleet} connections per process, "
            f"and {counted(need.processes, 'process')} with as many serve at most {most:.0f}, for "
            f"{milliseconds(need.bounds.hold_seconds)} each"
        )
        yield replace(failed, summary=told, obstacle=Obstacle.ROOM)


def _no_size(rate: float) -> str:
    return f"no pool size reaches {rate:.0f} requests a second"
