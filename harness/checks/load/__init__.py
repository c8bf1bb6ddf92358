"""What windows of load mean: pure functions of what was recorded, one question in each module.

A package of its own because they judge together: the same slow request is explained by the first of
them that holds (`classification.py`), and none of them is to be believed where the measurement
itself was the limit (`validity.py`).
"""

from __future__ import annotations

from harness.checks.load import (
    abandoned,
    blocked_loop,
    database_bound,
    drift,
    empty_tables,
    held_idle,
    leak,
    nesting,
    no_pool_size,
    nothing_lost,
    over_provisioned,
    overflow_churn,
    oversized_pool,
    pool_too_small,
    recovery,
    retry_storm,
    saturated_loop,
    shared_session,
    starved_threads,
    statement_growth,
    timeouts_order,
)

__all__ = ["KINDS"]

KINDS = (
    leak.KINDS
    | abandoned.KINDS
    | recovery.KINDS
    | nothing_lost.KINDS
    | {
        drift.KIND,
        empty_tables.KIND,
        blocked_loop.KIND,
        saturated_loop.KIND,
        nesting.KIND,
        shared_session.KIND,
        held_idle.KIND,
        database_bound.KIND,
        pool_too_small.KIND,
        no_pool_size.KIND,
        over_provisioned.KIND,
        overflow_churn.KIND,
        oversized_pool.KIND,
        starved_threads.KIND,
        statement_growth.KIND,
        retry_storm.KIND,
        timeouts_order.KIND,
    }
)
"""The kinds of findings that checks of load make."""
