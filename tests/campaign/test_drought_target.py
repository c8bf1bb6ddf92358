"""Only a pool that takes its size can be run dry, and only where it is served here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.campaign.drought.choice import SmallPool
from harness.campaign.drought.target import PoolNotOursError, kept_connections, require_pool
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.exhaustion import exhaustion
from harness.campaign.scenario import Settings, packaged
from harness.served import ServedApplication
from tests.checks.load.building import load

SMALL = SmallPool(size=2, timeout_seconds=1.0)
WINDOW = load(pool=2, rate=10, hold=0.1, wait=0.0, cpu=0.1, active=1.0, idle_in_transaction=0.0)


class Telling(ServedApplication):
    """An application of two processes whose pools are these."""

    pools: tuple[tuple[int | None, int | None], ...] = ()

    def statuses(self) -> dict[int, dict[str, Any]]:
        told = [{"size": size, "max_overflow": overflow} for size, overflow in self.pools]
        return {1: {"pools": told}, 2: {"pools": told}}


def telling(*pools: tuple[int | None, int | None]) -> Telling:
    target = type("Target", (Telling,), {"pools": pools})("http://127.0.0.1:1", "")
    assert isinstance(target, Telling)
    return target


def test_one_pool_of_several_that_takes_the_size_is_enough() -> None:
    require_pool(telling((5, 10), (2, 0)), SMALL)


def test_pools_that_keep_their_own_size_are_told() -> None:
    with pytest.raises(PoolNotOursError, match=r"\[\(5, 10\), \(None, None\)\]") as raised:
        require_pool(telling((5, 10), (None, None)), SMALL)

    assert "{async_url}" in raised.value.remedy


def test_a_pool_without_a_size_is_told_as_what_it_is() -> None:
    with pytest.raises(PoolNotOursError, match=r"has no size \(e\.g\. NullPool\)") as raised:
        require_pool(telling((None, None)), SMALL)

    assert "URL" not in str(raised.value)


def test_pools_keep_connections_in_every_process() -> None:
    (pool,) = WINDOW.pools
    pools = (pool, replace(pool, size=3, max_overflow=5), replace(pool, size=None))

    assert kept_connections(replace(WINDOW, pools=pools)) == 5


def test_an_application_that_is_gone_had_the_pools_of_before() -> None:
    gone = replace(WINDOW, processes=0, pools=())

    assert kept_connections(WINDOW, gone) == 2


def test_the_pool_of_somebody_else_is_left_alone() -> None:
    outside = OutsideTarget("http://127.0.0.1:1")
    ground = Ground(Settings(host=outside.url), lambda _step: None, outside=outside)

    with pytest.raises(NotOursError, match="needed to serve it with a small pool"):
        exhaustion(ground, packaged("exhaustion"))
