"""Deliberate faults, each with a healthy twin that gives the same answer.

One file per family; a fault is served at `/faults/<family>/<name>`, its twin at
`/twins/<family>/<name>`. Mounted only with `TARGET_APP_FAULTS=true`, never in production.
"""

from fastapi import APIRouter

from target_app.faults import n_plus_one

router = APIRouter(tags=["faults"])
router.include_router(n_plus_one.router)

__all__ = ["router"]
