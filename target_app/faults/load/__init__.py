"""Faults that show under load: connections held, nested and leaked, loops blocked, locks kept.

One file per family, as above this package; the paths are the same too, `/faults/<family>/<name>`
and `/twins/<family>/<name>`. A package of its own because a setting of its own mounts it,
`TARGET_APP_LOAD_FAULTS=true`: one request at a time cannot show these faults, and some of them
leave the process worse than they found it. Every one of them is bounded: no request waits
longer than it was told to or the pool's patience lasts, and what is kept on purpose ends with
the application. They need PostgreSQL.

`capacity` has workloads whose limit is known, for whoever checks a measurement.
"""

from fastapi import APIRouter

from target_app.faults.load import (
    capacity,
    held_connection,
    leak,
    lock_held,
    nested_checkout,
    oversized_pool,
    retry_storm,
    runaway_query,
    shared_session,
    slow_service,
    sync_on_loop,
)

_FILES = (
    held_connection,
    nested_checkout,
    leak,
    sync_on_loop,
    shared_session,
    oversized_pool,
    retry_storm,
    runaway_query,
    lock_held,
)

LOAD_FAULTS = tuple(fault for file in _FILES for fault in file.FAULTS)
"""Every fault that shows under load, family by family."""

WORKLOADS = capacity.WORKLOADS
"""Every workload whose limit is known."""

router = APIRouter(tags=["load faults"])
for _file in (*_FILES, slow_service, capacity):
    router.include_router(_file.router)

__all__ = ["LOAD_FAULTS", "WORKLOADS", "router"]
