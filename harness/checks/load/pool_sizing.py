"""The pool size to set: from a sweep, with its interval, its model and what would change it.

Two sources that must not contradict each other: the measured knee (`sizing_curve.py`) and the
operational bounds (`bounds.py`). Where there is a target, its need comes from the bounds and the
knee only limits it; without one, the knee is the answer. The server's room is the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from statistics import median

from harness.capture.windows import LoadWindow
from harness.checks.load.bounds import Bounds, bounds_of
from harness.checks.load.figures import SPARE_CPU, counted, milliseconds
from harness.checks.load.fleet import Fleet
from harness.checks.load.nesting import connections_without_deadlock
from harness.checks.load.sizing_curve import Curve, SizePoint, curve_of, knee_of
from harness.checks.load.usl import ScalabilityLaw, described
from harness.checks.load.validity import Basis, invalid
from harness.findings import Verdict

__all__ = ["FEWEST_SIZES", "HEADROOM", "Recommendation", "recommendation"]

HEADROOM = 1.5
"""The bounds met the measured knee within a factor of two (7.1 for 8, 1.1 for 1 [measured])."""
FEWEST_SIZES = 3
"""Below, there is no bend to see."""
_SMALLEST = 2
"""One connection makes every request wait for every other."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to set, and what it rests on."""

    verdict: Verdict
    """Fail: no pool size reaches the target. Warn: it had to be compromised, see `reasons`."""
    summary: str
    pool_size: int | None = None
    """Per process; None where nothing can be recommended."""
    max_overflow: int | None = None
    low: int | None = None
    """The smallest `pool_size` that any round gives."""
    high: int | None = None
    """The largest one; None where throughput rose to the end of the sweep."""
    curve: tuple[SizePoint, ...] = ()
    knee: int | None = None
    """The largest size that was worth having; None where throughput rose to the end of the
    sweep."""
    bounds: Bounds | None = None
    law: ScalabilityLaw | None = None
    """A description of the curve, no more."""
    fleet: Fleet | None = None
    processes_needed: int | None = None
    """Of the application, all replicas together, where the target needs more than there are."""
    reasons: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    """Evidence that would give another size."""
    left_out: tuple[str, ...] = ()
    """Windows that could not be used, and why."""


@dataclass(frozen=True, slots=True)
class _Need:
    """What decides a size, whatever the round."""

    bounds: Bounds
    rate: float | None
    """Requests a second that one process has to serve; None without a target."""
    largest: int
    """Size of the sweep, which stands for a knee beyond it."""
    nested: int
    ceiling: int | None
    share: float
    """Of a knee, which is one process's: processes share what the database can work on at once."""

    def size(self, knee: int | None, *, stretch: float = 1.0) -> int:
        """Connections, without regard to the server's room.

        Args:
            knee: Measured; None where there was none.
            stretch: How much longer connections were held in this round than in the middle one.
        """
        wanted = self.shared(knee or self.largest)
        if self.rate is not None:
            wanted = ceil(self.rate * self.bounds.hold_seconds * stretch * HEADROOM)
        return max(int(min(wanted, self.useful(knee))), self.nested, _SMALLEST)

    def shared(self, knee: int) -> int:
        """What of a knee belongs to one process of the fleet."""
        return max(ceil(knee * self.share), 1)

    def useful(self, knee: int | None) -> float:
        """Connections beyond which more only queue elsewhere."""
        most = min(self.bounds.knee, inf if knee is None else self.shared(knee))
        return max(ceil(most * HEADROOM), _SMALLEST) if most < inf else inf

    def bounded(self, size: float) -> int:
        """No more than the server has for one process."""
        return int(size if self.ceiling is None else min(size, self.ceiling))


def recommendation(
    sweep: Sequence[LoadWindow],
    baseline: LoadWindow,
    target_rate: float | None = None,
    fleet: Fleet | None = None,
) -> Recommendation:
    """Recommend ``pool_size`` and ``max_overflow`` for each process.

    Args:
        sweep: The same closed load on pools of several sizes, each at least three times.
        baseline: One user; gives the hold time and the CPU of a request without queues.
        target_rate: Requests a second that all processes of the fleet together have to serve.
        fleet: What else connects to the server; None where nobody knows.
    """
    curve, bounds = curve_of(sweep), bounds_of(baseline)
    why = invalid(baseline, Basis.SHARES)
    if why or bounds is None:
        told = why or "it took no connection"
        return _undecided(f"the load of one user cannot be used: {told}", curve, fleet)
    if len(curve.points) < FEWEST_SIZES:
        told = f"{counted(len(curve.points), 'pool size')} with three valid windows each"
        return _undecided(f"{told}, {FEWEST_SIZES} sizes needed", curve, fleet)
    knee = knee_of(curve.rates)
    basis = Recommendation(
        Verdict.PASS,
        "",
        curve=curve.points,
        knee=knee,
        bounds=bounds,
        law=described(curve.rates, knee),
        fleet=fleet,
        would_change=tuple(_would_change(knee, bounds, curve, target_rate)),
        left_out=curve.left_out,
    )
    processes = fleet.processes * fleet.replicas if fleet is not None else sweep[0].processes
    need = _Need(
        bounds=bounds,
        rate=target_rate / processes if target_rate is not None else None,
        largest=curve.points[-1].size,
        nested=max(connections_without_deadlock(window) for window in sweep),
        ceiling=fleet.ceiling if fleet is not None else None,
        share=sweep[0].processes / processes if _is_database_the_limit(basis, curve) else 1.0,
    )
    failed = _without_room(basis) or _unreachable(basis, curve, target_rate, processes)
    return failed or _sized(basis, need, curve)


def _is_database_the_limit(basis: Recommendation, curve: Curve) -> bool:
    """Whether throughput stopped to rise while there was CPU left."""
    return basis.knee is not None and curve.best.process_cpu < SPARE_CPU


def _undecided(why: str, curve: Curve, fleet: Fleet | None) -> Recommendation:
    left_out = f" ({'; '.join(curve.left_out)})" if curve.left_out else ""
    return Recommendation(
        Verdict.INCONCLUSIVE,
        f"{why}{left_out}",
        curve=curve.points,
        fleet=fleet,
        left_out=curve.left_out,
    )


def _without_room(basis: Recommendation) -> Recommendation | None:
    """The answer where the server takes no pool at all."""
    if basis.fleet is None or basis.fleet.ceiling > 0:
        return None
    told = f"the server has no connection left for each process: {basis.fleet}"
    return replace(basis, verdict=Verdict.FAIL, summary=told)


def _unreachable(
    basis: Recommendation, curve: Curve, target_rate: float | None, processes: int
) -> Recommendation | None:
    """The answer where no pool size serves the target."""
    if target_rate is None or basis.bounds is None:
        return None
    failed = replace(basis, verdict=Verdict.FAIL)
    told = f"no pool size reaches {target_rate:.0f} requests a second"
    needed = basis.bounds.processes_for(target_rate)
    if needed > processes:
        return replace(
            failed,
            processes_needed=needed,
            summary=f"{told} with {counted(processes, 'process')}: at least "
            f"{counted(needed, 'process')}, for {milliseconds(basis.bounds.cpu_seconds)} of CPU "
            "per request",
        )
    most = max(point.highest_rate for point in curve.points)
    if _is_database_the_limit(basis, curve) and target_rate > most:
        return replace(
            failed,
            summary=f"{told}: the database was the limit at {curve.best.rate:.0f}, with CPU to "
            "spare; more processes do not help",
        )
    return None


def _sized(basis: Recommendation, need: _Need, curve: Curve) -> Recommendation:
    wanted = need.size(basis.knee)
    size = need.bounded(wanted)
    overflow = need.bounded(min(size + size // 2, max(need.useful(basis.knee), size))) - size
    sizes = [size, *(need.bounded(each) for each in _sizes_of_rounds(need, curve))]
    is_open = need.rate is None and basis.knee is None
    span = f"{min(sizes)} to {max(sizes)} over {counted(len(curve.rounds), 'round')}"
    told = f"pool_size={size}, max_overflow={overflow} per process ({span})"
    if is_open:
        told = f"at least {size}: throughput rose to the end of the sweep; try larger pools or "
        told += "name a target"
    calm = Verdict.WARN if _is_compromise(need, wanted) else Verdict.PASS
    return replace(
        basis,
        verdict=Verdict.INCONCLUSIVE if is_open else calm,
        summary=told,
        pool_size=size,
        max_overflow=overflow,
        low=min(sizes),
        high=None if is_open else max(sizes),
        reasons=tuple(_reasons(basis, need, wanted)),
    )


def _sizes_of_rounds(need: _Need, curve: Curve) -> Iterator[int]:
    """What each round alone would have given: its own knee, and its own hold time."""
    middle = median(each.hold_seconds for each in curve.rounds)
    for each in curve.rounds:
        stretch = each.hold_seconds / middle if middle else 1.0
        yield need.size(knee_of(each.rates), stretch=stretch)


def _is_compromise(need: _Need, wanted: int) -> bool:
    is_short = need.ceiling is not None and wanted > need.ceiling
    return is_short or need.nested > 1 or (need.rate is not None and wanted > need.largest)


def _reasons(basis: Recommendation, need: _Need, wanted: int) -> Iterator[str]:
    bounds = need.bounds
    if basis.knee is not None:
        yield f"more than {basis.knee} connections brought less than half of what they cost"
    else:
        yield f"throughput rose up to {need.largest} connections, the largest size that was tried"
    if need.share < 1 and basis.knee is not None:
        yield (
            f"the database was the limit, so that processes share its {basis.knee}: "
            f"{need.shared(basis.knee)} each"
        )
    if need.rate is not None:
        yield (
            f"{need.rate:.0f} requests a second in each process hold "
            f"{need.rate * bounds.hold_seconds:.1f} connections for "
            f"{milliseconds(bounds.hold_seconds)} each; {HEADROOM:g} times that leaves room"
        )
    if bounds.knee < inf:
        yield (
            f"one process: at most {1 / bounds.cpu_seconds:.0f} requests a second by its CPU, "
            f"which {bounds.knee:.1f} connections can feed"
        )
    if need.nested > 1:
        yield (
            f"requests hold several connections at once: {need.nested} make a deadlock impossible, "
            "one at a time would need fewer"
        )
    if need.rate is not None and wanted > need.largest:
        yield f"{wanted} connections are more than were tried: {need.largest}"
    if need.ceiling is not None:
        yield f"the server has room for {basis.fleet} connections per process"
        if wanted > need.ceiling:
            yield f"{wanted} would be right: fewer processes, or a pooler in front of the server"


def _would_change(
    knee: int | None, bounds: Bounds, curve: Curve, target_rate: float | None
) -> Iterator[str]:
    if knee is not None:
        larger = next((point for point in curve.points if point.size > knee), None)
        if larger is not None:
            least = curve.rates[knee] * (larger.size / knee) ** 0.5
            yield (
                f"{least:.0f} requests a second or more with {larger.size} connections "
                f"(now {larger.rate:.0f}): a larger pool"
            )
    yield (
        f"another hold time than {milliseconds(bounds.hold_seconds)} per request without load: the "
        "need is proportional to it"
    )
    yield f"another CPU time than {milliseconds(bounds.cpu_seconds)} per request"
    if target_rate is None:
        yield "a target rate: the need may be smaller than what the database can use"
