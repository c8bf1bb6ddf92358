"""A pool is too large for its server by arithmetic, whatever the load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow
from harness.checks.load.oversized_pool import oversized_pool
from harness.findings import Verdict
from tests.checks.load.building import load, with_server

QUIET = load(pool=5, rate=1, hold=0.01, wait=0.0, cpu=0.1, active=1.0, idle_in_transaction=0.0)


def pools(*sizes: int, processes: int = 1, overflow: int = 0) -> LoadWindow:
    """A server of 100, of which 3 are reserved and 2 other programs'."""
    (pool,) = QUIET.pools
    return replace(
        QUIET,
        processes=processes,
        pools=tuple(
            replace(pool, name=f"pool {number}", size=size, max_overflow=overflow)
            for number, size in enumerate(sizes, start=1)
        ),
    )


@pytest.mark.parametrize(
    "window",
    [pools(95), pools(48, 47), pools(23, processes=4), pools(5, overflow=-1)],
    ids=["one", "two engines", "four processes", "without a bound"],
)
def test_what_fits_passes(window: LoadWindow) -> None:
    assert oversized_pool(window).verdict.verdict is Verdict.PASS


@pytest.mark.parametrize(
    "window",
    [pools(96), pools(48, 48), pools(24, processes=4), pools(50, overflow=46)],
    ids=["one", "two engines", "four processes", "overflow"],
)
def test_what_does_not_fit_is_found(window: LoadWindow) -> None:
    (finding,) = oversized_pool(window).findings

    assert finding.identity == "pool-larger-than-server pool @ the whole application"
    assert "of the 95 connections that the server has left" in finding.title


def test_the_processes_of_one_application_have_the_same_pools() -> None:
    four = pools(30, 30, 30, 30, processes=4)
    same = replace(four, pools=tuple(replace(pool, name="pool 1") for pool in four.pools))

    (finding,) = oversized_pool(same).findings
    assert "4 processes may take 120 of" in finding.title


def test_connections_of_other_programs_are_not_left() -> None:
    busy = with_server(pools(60), others=40.0)

    (finding,) = oversized_pool(busy).findings
    assert "may take 60 of the 57 connections" in finding.title


def test_a_server_that_nobody_looked_into_is_not_judged() -> None:
    assert oversized_pool(replace(pools(500), server=None)).verdict.verdict is Verdict.SKIPPED
