"""The pool size to set: from a sweep, with its interval, its model and what would change it.

Two sources that must not contradict each other: the measured knee (`sizing_curve.py`) and the
operational bounds (`bounds.py`). Where there is a target, its need comes from the bounds and the
knee only limits it; without one, the knee is the answer. The server's room is the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from harness.capture.windows import LoadWindow
from harness.checks.load.bounds import Bounds, bounds_of
from harness.checks.load.figures import counted, main_pool
from harness.checks.load.fleet import Fleet
from harness.checks.load.nesting import connections_without_deadlock
from harness.checks.load.out_of_reach import out_of_reach
from harness.checks.load.recommended import Recommendation
from harness.checks.load.sizing_curve import Curve, curve_of, knee_of
from harness.checks.load.sizing_limit import limit_of
from harness.checks.load.sizing_need import Need
from harness.checks.load.sizing_reasons import evidence_against, reasons_for
from harness.checks.load.usl import described
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Verdict

__all__ = [
    "FEWEST_SIZES",
    "Recommendation",
    "recommendation",
    "unusable_baseline",
]

FEWEST_SIZES = 3
"""Below, there is no bend to see."""


def recommendation(
    sweep: Sequence[LoadWindow],
    baseline: LoadWindow,
    target_rate: float | None = None,
    fleet: Fleet | None = None,
) -> Recommendation:
    """Recommend ``pool_size`` and ``max_overflow`` for each process.

    Args:
        sweep: The same closed load on pools of several sizes, each at least three times.
        baseline: One user; gives the hold time of a request without queues.
        target_rate: Requests a second that all processes of the fleet together have to serve.
        fleet: What else connects to the server; None where nobody knows.
    """
    valid = [window for window in sweep if not (invalid(window, Basis.SHARES) or unread(window))]
    curve, bounds = curve_of(sweep), bounds_of(baseline, valid)
    why = unusable_baseline(baseline)
    if why or bounds is None:
        return _undecided(why, curve, fleet)
    if len(curve.points) < FEWEST_SIZES:
        told = f"{counted(len(curve.points), 'pool size')} with three valid windows each"
        return _undecided(f"{told}, {FEWEST_SIZES} sizes needed", curve, fleet)
    need = replace(
        _need(sweep, curve, bounds, target_rate, fleet), beside=_other_connections(baseline)
    )
    basis = _basis(need, fleet)
    return out_of_reach(basis, need) or _sized(basis, need)


def unusable_baseline(baseline: LoadWindow) -> str:
    """Why no recommendation can rest on a load of one user; empty where one can."""
    why = invalid(baseline, Basis.SHARES) or unread(baseline)
    if not why and bounds_of(baseline) is None:
        why = "it took no connection"
    return f"the load of one user cannot be used: {why}" if why else ""


def _undecided(why: str, curve: Curve, fleet: Fleet | None) -> Recommendation:
    left_out = f" ({'; '.join(curve.left_out)})" if curve.left_out else ""
    return Recommendation(
        Verdict.INCONCLUSIVE,
        f"{why}{left_out}",
        curve=curve.measured,
        fleet=fleet,
        left_out=curve.left_out,
    )


def _need(
    sweep: Sequence[LoadWindow],
    curve: Curve,
    bounds: Bounds,
    target_rate: float | None,
    fleet: Fleet | None,
) -> Need:
    return Need(
        bounds=bounds,
        curve=curve,
        limit=limit_of(curve, knee_of(curve.rates)),
        target_rate=target_rate,
        processes=fleet.processes * fleet.replicas if fleet is not None else curve.processes,
        nested=max(connections_without_deadlock(window) for window in sweep),
        users=max(window.client.users for window in sweep),
        ceiling=fleet.ceiling if fleet is not None else None,
    )


def _other_connections(baseline: LoadWindow) -> int:
    """Of the pools beside the main one, in one process."""
    main = main_pool(baseline)
    sizes = {pool.name: pool.capacity or 0 for pool in baseline.pools}
    return sum(size for name, size in sizes.items() if main is not None and name != main.name)


def _basis(need: Need, fleet: Fleet | None) -> Recommendation:
    """All that is known but the size."""
    curve, knee = need.curve, knee_of(need.curve.rates)
    return Recommendation(
        Verdict.PASS,
        "",
        curve=curve.points,
        knee=knee,
        bounds=need.bounds,
        law=described(curve.rates, knee),
        fleet=fleet,
        would_change=tuple(evidence_against(need, knee, fleet)),
        left_out=curve.left_out,
    )


def _sized(basis: Recommendation, need: Need) -> Recommendation:
    wanted = need.size(basis.knee)
    size = need.bounded(wanted)
    overflow = need.bounded(min(size + size // 2, max(need.useful(basis.knee), size))) - size
    sizes = [size, *(need.bounded(each) for each in _sizes_of_rounds(need))]
    # With a server that has no room for more, larger pools are not for trying.
    is_full = need.ceiling is not None and wanted >= need.ceiling
    is_unbent = need.rate is None and basis.knee is None
    is_open = is_unbent and not is_full
    span = f"{min(sizes)} to {max(sizes)} over {counted(len(need.curve.rounds), 'round')}"
    told = f"pool_size={size}, max_overflow={overflow} per process ({span})"
    if is_open:
        told = f"at least {size}: throughput rose to the end of the sweep; try larger pools or "
        told += "name a target"
    is_crowded = need.beside > 0 and need.is_crowded(size + overflow)
    is_compromise = is_unbent or is_crowded or _is_compromise(need, wanted)
    calm = Verdict.WARN if is_compromise else Verdict.PASS
    return replace(
        basis,
        verdict=Verdict.INCONCLUSIVE if is_open else calm,
        summary=told,
        pool_size=size,
        max_overflow=overflow,
        low=min(sizes),
        high=None if is_open else max(sizes),
        reasons=tuple(reasons_for(basis, need, wanted)),
    )


def _sizes_of_rounds(need: Need) -> Iterator[int]:
    """What each round alone would have given: its own knee, and its own hold time."""
    rounds = need.curve.rounds
    middle = median(each.hold_seconds for each in rounds)
    for each in rounds:
        stretch = each.hold_seconds / middle if middle else 1.0
        yield need.size(knee_of(each.rates), stretch=stretch)


def _is_compromise(need: Need, wanted: int) -> bool:
    is_short = need.ceiling is not None and wanted > need.ceiling
    return is_short or need.nested > 1 or (need.rate is not None and wanted > need.largest)
