"""What windows of load mean: pure functions of what was recorded, one question in each module.

A package of its own because they judge together: the same slow request is explained by the first of
them that holds (`classification.py`), and none of them is to be believed where the measurement
itself was the limit (`validity.py`).
"""

from __future__ import annotations

from harness.checks.load import (
    blocked_loop,
    database_bound,
    held_idle,
    leak,
    nesting,
    over_provisioned,
    overflow_churn,
    pool_too_small,
    saturated_loop,
    shared_session,
    starved_threads,
    timeouts_order,
)

__all__ = ["KINDS"]

KINDS = leak.KINDS | {
    blocked_loop.KIND,
    saturated_loop.KIND,
    nesting.KIND,
    shared_session.KIND,
    held_idle.KIND,
    database_bound.KIND,
    pool_too_small.KIND,
    over_provisioned.KIND,
    overflow_churn.KIND,
    starved_threads.KIND,
    timeouts_order.KIND,
}
"""The kinds of findings that checks of load make."""
