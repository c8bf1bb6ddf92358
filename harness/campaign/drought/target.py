"""The application that is run dry: whether its pool is the one that was asked for."""

from __future__ import annotations

from typing import ClassVar

from harness.campaign.drought.choice import SmallPool
from harness.capture.windows import LoadWindow
from harness.errors import HarnessError
from harness.served import ServedApplication

__all__ = ["PoolNotOursError", "kept_connections", "require_pool"]


class PoolNotOursError(HarnessError):
    """The application does not take its pool's size from its database URL."""

    slug: ClassVar[str] = "pool-not-ours"


def require_pool(target: ServedApplication, pool: SmallPool) -> None:
    """Make sure that an application which was requested before uses the pool that it was told.

    Raises:
        PoolNotOursError: It uses others.
    """
    pools = [each for status in target.statuses().values() for each in status["pools"]]
    sizes = sorted({(each["size"], each["max_overflow"]) for each in pools}, key=str)
    if sizes == [(None, None)]:
        raise PoolNotOursError(
            "the application's pool has no size (e.g. NullPool): it cannot run dry",
            remedy="nothing to do, unless production uses a pool with a size: use it here, too",
        )
    if (pool.size, pool.overflow) not in sizes:
        raise PoolNotOursError(
            f"the application's pools are {sizes}: its engine does not take the pool's size "
            "from the database URL",
            remedy="give it the whole URL ({async_url}) in [tool.harness.env]",
        )


def kept_connections(*windows: LoadWindow) -> int:
    """How many connections its pools keep when nobody uses them, at most, in all processes.

    Args:
        windows: Of loads that the application was seen in. It is not asked: it may be gone.
    """
    return max(sum(pool.size or 0 for pool in window.pools) for window in windows)
