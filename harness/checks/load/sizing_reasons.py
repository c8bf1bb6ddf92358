"""What a recommended size rests on, and what would change it, in numbers.

Apart from the arithmetic, which it only words.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.fleet import Fleet
from harness.checks.load.recommended import Recommendation
from harness.checks.load.sizing_need import HEADROOM, Need

__all__ = ["evidence_against", "reasons_for"]


def reasons_for(basis: Recommendation, need: Need, wanted: int) -> Iterator[str]:
    """Why this size.

    Args:
        basis: Everything but the size.
        need: What decides it.
        wanted: Connections, without regard to the server's room.
    """
    yield from _of_the_sweep(basis, need)
    yield from _of_the_load(need)
    yield from _of_limits(basis, need, wanted)


def _of_the_sweep(basis: Recommendation, need: Need) -> Iterator[str]:
    if basis.knee is not None:
        yield f"more than {basis.knee} connections brought less than half of what they cost"
    else:
        yield f"throughput rose up to {need.largest} connections, the largest size that was tried"
    if need.rate is None and need.useful(basis.knee) < need.shared(basis.knee or need.largest):
        yield (
            f"no more than {need.useful(basis.knee):.0f}: the CPU of one process cannot feed as "
            "many, with room"
        )
    if need.share < 1 and basis.knee is not None:
        yield (
            f"the database was the limit, so that processes share its {basis.knee}: "
            f"{need.shared(basis.knee)} each"
        )


def _of_the_load(need: Need) -> Iterator[str]:
    bounds = need.bounds
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
            f"requests hold several connections at once: {need.nested} make a deadlock impossible "
            f"for as many of them as {counted(need.users, 'user')} of the sweep sent; one at a "
            "time would need fewer"
        )


def _of_limits(basis: Recommendation, need: Need, wanted: int) -> Iterator[str]:
    if need.rate is not None and wanted > need.largest:
        yield f"{wanted} connections are more than were tried: {need.largest}"
    if need.ceiling is not None:
        yield f"the server has room for {basis.fleet} connections per process"
        if wanted > need.ceiling:
            yield (
                f"{wanted} would be right: a pooler in front of the server, a larger "
                "max_connections, or less surge"
            )
        if need.beside:
            yield (
                f"other pools of each process take up to {need.beside} of it, where they are on "
                "the same server"
            )


def evidence_against(need: Need, knee: int | None, fleet: Fleet | None) -> Iterator[str]:
    """What would give another size."""
    curve, bounds = need.curve, need.bounds
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
    if fleet is not None:
        yield (
            f"another max_connections than the {fleet.max_connections} of the server that was "
            "measured, which need not be yours: the room follows it"
        )
    if need.target_rate is None:
        yield "a target rate: the need may be smaller than what the database can use"
