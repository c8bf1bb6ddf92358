"""Deliberate faults, each with a healthy twin that gives the same answer.

One file per family (N+1 has two); a fault is served at `/faults/<family>/<name>`, its twin at
`/twins/<family>/<name>`. What is known of a fault stands beside it as a `Fault`; all of them
together are `FAULTS`. Mounted only with `TARGET_APP_FAULTS=true`, never in production.

Those that show under load are a package below, `load`, with a list, a router and a switch of
their own; it is not imported here, because it brings an HTTP client along.
"""

from fastapi import APIRouter

from target_app.faults import columns, n_plus_one, n_plus_one_elsewhere, query_in_loop, writes

_FILES = (n_plus_one, n_plus_one_elsewhere, query_in_loop, columns, writes)

FAULTS = tuple(fault for file in _FILES for fault in file.FAULTS)
"""Every fault, family by family."""

router = APIRouter(tags=["faults"])
for _file in _FILES:
    router.include_router(_file.router)

__all__ = ["FAULTS", "router"]
