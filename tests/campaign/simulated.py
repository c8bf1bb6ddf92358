"""A ground on which an application of known capacity answers at once, by arithmetic.

In place of what serves and loads, so that the order of a sizing probe can be proved in
milliseconds: what is served when, what is measured again, and what is said in the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from harness.campaign.ground import Ground, Slice
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import Load, Traffic
from harness.capture.windows import LoadWindow
from harness.load.result import LoadResult
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig
from harness.rig.protocol import Serving, Started, Stretch
from tests.checks.load.building import load as built
from tests.checks.load.building import with_pool

__all__ = ["Simulated", "simulated"]

OWN = PoolChoice(5, 5, 5.0)
_NOISE = 0.03


@dataclass(slots=True, eq=False)
class Simulated(Ground):
    """An application with a pool of 5 + 5, on a database that works on so many at a time."""

    capacity: int = 4
    hold: float = 0.01
    cpu_seconds: float = 0.0005
    idle_cpu: float = 0.0
    """Of each process but one, whatever is asked of it."""
    served: list[PoolChoice] = field(default_factory=list)
    workers: list[int] = field(default_factory=list)
    """With how many processes each of them."""
    loads: list[Load] = field(default_factory=list)
    change: Callable[[LoadWindow], LoadWindow] = lambda window: window
    """Of every window that is measured."""
    obeys: bool = True
    """Whether another pool can be chosen."""
    stops: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - noise

    def required_rig(self, what: str) -> Rig:
        """There is none, and nobody uses it."""
        del what
        return cast("Rig", None)

    def serve(  # type: ignore[override]  # its further parameters are not used here
        self, pool: PoolChoice | None = None, *, workers: int | None = None
    ) -> Serving:
        """Note what is served."""
        self.workers.append(workers or self.settings.workers)
        self.served.append(pool if pool is not None and self.obeys else OWN)
        return Serving("http://shop.example", "token", ())

    def stop_serving(self) -> None:
        """Note it."""
        self.stops += 1

    def measured(
        self,
        scenario: Scenario,
        load: Load,
        *,
        meanwhile: Callable[[Traffic], None] | None = None,
        rest_seconds: float = 5.0,
    ) -> Slice:
        """What users of this capacity see."""
        del scenario, meanwhile, rest_seconds
        self.loads.append(load)
        window = self.change(self._window(load))
        result = cast("LoadResult", None)
        return Slice(window, result, cast("Stretch", None))

    def _window(self, load: Load) -> LoadWindow:
        chosen = self.served[-1]
        pool = (chosen.pool_size or 0) + (chosen.max_overflow or 0)
        at_once = min(load.users, pool)
        most = min(min(at_once, self.capacity) / self.hold, 1 / self.cpu_seconds)
        rate = most * self._chance.uniform(1 - _NOISE, 1 + _NOISE)
        window = built(
            pool=pool,
            rate=rate,
            hold=at_once / rate,
            wait=max(load.users - pool, 0) / rate,
            cpu=rate * self.cpu_seconds,
            active=float(at_once),
            idle_in_transaction=0.0,
            users=load.users,
        )
        window = with_pool(window, size=chosen.pool_size, max_overflow=chosen.max_overflow)
        idle = (self.workers[-1] - 1) * self.idle_cpu * window.seconds
        return replace(window, cpu_seconds=window.cpu_seconds + idle)


def simulated(
    settings: Settings | None = None,
    *,
    capacity: int = 4,
    change: Callable[[LoadWindow], LoadWindow] = lambda window: window,
    obeys: bool = True,
    why_no_activity: str = "",
) -> Simulated:
    """One, with the steps that it tells in a list.

    Args:
        settings: What the user said.
        capacity: Requests that the database works on at a time.
        change: Of every window that is measured.
        obeys: Whether another pool can be chosen.
        why_no_activity: Why the server is not watched.
    """
    return Simulated(
        settings or Settings(),
        lambda _step: None,
        rig=cast("Rig", None),
        started=Started("shop", "PostgreSQL, simulated", 1, None, why_no_activity),
        capacity=capacity,
        change=change,
        obeys=obeys,
    )
