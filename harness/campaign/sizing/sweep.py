"""The sweep: the same load on pools of several sizes, each with a freshly started application."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.campaign.sizing.plan import SweepPlan, doubled, order
from harness.campaign.sizing.slices import Slices
from harness.capture.windows import LoadWindow
from harness.checks.load.elasticity import unusable
from harness.checks.load.figures import counted, pool_capacity, rate
from harness.checks.load.sizing_curve import knee_of
from harness.checks.load.validity import Basis, invalid, unread
from harness.pool_choice import PoolChoice

__all__ = ["Sweep", "swept"]

_PATIENCE_SECONDS = 30.0
"""For a connection: longer than users wait for their answer, so that the pool sheds nobody."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep saw."""

    plan: SweepPlan
    seed: int
    rounds: int
    windows: tuple[LoadWindow, ...] = field(repr=False)
    """In the order in which they were recorded, those included that may not be judged."""
    refusal: str = ""
    """Why the application takes no other pool; empty if it does."""
    repeated: int = 0

    @property
    def note(self) -> str:
        """What was done, in a few words."""
        sizes = ", ".join(str(size) for size in self.plan.sizes)
        told = f"sizes {sizes} in random order (seed {self.seed}), {counted(self.rounds, 'round')}"
        told = f"{told}, {self.repeated} repeated" if self.repeated else told
        return f"{told}; {self.plan.left_out}" if self.plan.left_out else told


def swept(slices: Slices, plan: SweepPlan, *, seed: int) -> Sweep:
    """Serve with one size after the other, in another order in each round, and load each.

    Where throughput rises to the end of the first round, and there is room, one size more is tried.

    Args:
        slices: Takes them.
        plan: What to try.
        seed: Of the orders.
    """
    rounds, windows, before = slices.form.rounds, list[LoadWindow](), slices.repeated
    is_open = True
    for number in range(1, rounds + 1):
        todo = order(plan.sizes, seed=seed, number=number)
        while todo:
            size = todo.pop(0)
            slices.ground.tell(f"round {number} of {rounds}: a pool of {size}")
            windows += _measured(slices, plan, size)
            if why := _refusal(size, windows[-1]):
                return Sweep(plan, seed, rounds, tuple(windows), why, slices.repeated - before)
            if is_open and not todo:
                is_open = False
                further = _further(slices, plan, windows)
                if further is not None:
                    plan = further
                    todo = [plan.sizes[-1]]
    return Sweep(plan, seed, rounds, tuple(windows), "", slices.repeated - before)


def _measured(slices: Slices, plan: SweepPlan, size: int) -> list[LoadWindow]:
    slices.ground.serve(PoolChoice(size, 0, _PATIENCE_SECONDS))
    return slices.attempts(plan.users, dict(plan.slices)[size])


def _further(slices: Slices, plan: SweepPlan, windows: list[LoadWindow]) -> SweepPlan | None:
    usable = [window for window in windows if not unusable(window)]
    rates = {pool_capacity(each): rate(each) for each in usable}
    if slices.form.rounds == 1 or len(rates) < len(plan.sizes) or knee_of(rates) is not None:
        return None
    return doubled(plan, usable[-1].processes)


def _refusal(size: int, window: LoadWindow) -> str:
    """Why the application takes no other pool; empty where it does, or nobody looked."""
    found = pool_capacity(window)
    # Of a process that was not read nobody knows the pool; its window is no more than invalid.
    if found == size or invalid(window, Basis.COUNTS) or unread(window):
        return ""
    told = f"a pool of {found}" if found else "no pool with a bound"
    return (
        f"asked for a pool of {size}, the application has {told}: its engine is not made from the "
        "configured URL, or sets its own size after it"
    )
