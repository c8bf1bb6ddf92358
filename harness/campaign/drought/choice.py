"""How many users run a pool dry, or whether tables are locked instead: pure.

Users wait for `users * hold / connections` seconds once all of them queue. Where that is longer
than the pool's time limit they run it dry by themselves, as on a busy day. A route that is done in
milliseconds needs hundreds of them for it, and then the processor is the limit and not the pool:
there the tables are locked, as by a migration, and few users are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from harness.campaign.drought.dryness import require_enough_users
from harness.campaign.drought.story import Drought
from harness.capture.windows import LoadWindow
from harness.rig.limits import LONGEST_LOCK_SECONDS

__all__ = ["MOST_USERS", "SmallPool", "drought_for", "hold_per_request"]

MOST_USERS = 64
"""Above, tables are locked."""
_USERS_PER_CONNECTION = 4
_MARGIN = 1.5
"""By which users wait longer than the pool's time limit."""
_PERIODS = 2.0
"""Of the pool's time limit, that a drought lasts at least: those who come after the first ones that
gave up belong to it."""
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SmallPool:
    """The pool that is run dry."""

    size: int
    """In each process."""
    timeout_seconds: float
    processes: int = 1
    overflow: int = 0

    @property
    def capacity(self) -> int:
        """Connections of all processes together."""
        return (self.size + self.overflow) * self.processes


def drought_for(
    pool: SmallPool, *, hold_seconds: float | None, users: int | None, seconds: float
) -> Drought:
    """Choose.

    Args:
        pool: What is to run dry.
        hold_seconds: How long a request holds connections, without load; None where none came
            back, which runs any pool dry.
        users: As the user of the harness said; None for as many as it takes.
        seconds: How long it is to be dry; more where the limits need more, less where tables are
            locked, which nobody does for longer than `LONGEST_LOCK_SECONDS`.

    Raises:
        NeverDryError: So few users cannot do it.
    """
    if users is not None and hold_seconds is not None:
        require_enough_users(users, capacity=pool.capacity)
    fewest = _USERS_PER_CONNECTION * pool.capacity
    needed = (
        ceil(_MARGIN * pool.timeout_seconds * pool.capacity / hold_seconds) if hold_seconds else 0
    )
    is_locked = needed > (users or MOST_USERS)
    longest = max(seconds, _PERIODS * pool.timeout_seconds + (hold_seconds or 0.0))
    dry_seconds = float(ceil(min(longest, max(seconds, _LONGEST_SECONDS))))
    return Drought(
        users=users or (fewest if is_locked else max(fewest, needed)),
        capacity=pool.capacity,
        timeout_seconds=pool.timeout_seconds,
        seconds=min(dry_seconds, LONGEST_LOCK_SECONDS) if is_locked else dry_seconds,
        hold_seconds=hold_seconds,
        is_locked=is_locked,
    )


def hold_per_request(window: LoadWindow) -> float | None:
    """How long a request held connections, all of them together; None where none came back."""
    requests = sum(route.requests for route in window.routes)
    held = sum(route.hold.mean_seconds * route.hold.count for route in window.routes)
    return held / requests if requests and held > 0 else None
