"""Which route does what is told by counts, not by names."""

from __future__ import annotations

from dataclasses import replace

from harness.campaign.drought.trials import (
    WITHOUT_PLAN,
    Trial,
    cheapest,
    longest_holder,
    without_database,
)

LIVE = Trial("GET /live", "/live", 0.001, True, 0, 0.0, 0.0)  # noqa: FBT003 - good
DOCS = replace(LIVE, route="GET /docs", path="/docs", seconds=0.1)
TAGS = Trial("GET /tags", "/tags", 0.01, True, 1, 0.008, 0.002)  # noqa: FBT003 - good
ORDERS = replace(TAGS, route="GET /orders", hold_seconds=0.2, busy_seconds=0.1)
CALLS = replace(TAGS, route="GET /calls", hold_seconds=0.5, busy_seconds=0.003)
BROKEN = replace(TAGS, route="GET /broken", is_good=False, hold_seconds=9.0, busy_seconds=0.0)
ALL = (DOCS, LIVE, ORDERS, TAGS, CALLS, BROKEN)


def test_the_longest_holder_is_the_one_that_keeps_connections_and_answers() -> None:
    assert longest_holder(ALL) == CALLS
    assert longest_holder((LIVE, BROKEN)) is None


def test_the_cheapest_is_the_one_on_which_sql_runs_shortest() -> None:
    assert cheapest(ALL) == TAGS
    assert cheapest((LIVE,)) is None


def test_the_cheapest_is_rather_not_the_one_that_is_loaded() -> None:
    assert cheapest(ALL, beside="GET /tags") == CALLS
    assert cheapest((TAGS,), beside="GET /tags") == TAGS


def test_the_cheapest_is_rather_not_one_that_streams() -> None:
    stream = replace(TAGS, route="GET /export", busy_seconds=0.0001, is_streamed=True)

    assert cheapest((stream, TAGS)) == TAGS
    assert cheapest((stream,)) == stream


def test_the_cheapest_is_rather_on_a_pool_that_is_loaded() -> None:
    tags = replace(TAGS, pools=frozenset({"pool 2"}))
    calls = replace(CALLS, pools=frozenset({"pool 1", "pool 2"}))
    orders = replace(ORDERS, pools=frozenset({"pool 1"}))

    assert cheapest((tags, calls, orders), pools={"pool 1"}) == calls
    assert cheapest((tags, orders), beside="GET /orders", pools={"pool 1"}) == orders
    assert cheapest((tags,), pools={"pool 1"}) == tags


def test_without_a_database_is_the_quickest_that_takes_no_connection() -> None:
    assert without_database(ALL) == ("GET /live", "/live")
    assert without_database((TAGS, BROKEN)) == WITHOUT_PLAN
