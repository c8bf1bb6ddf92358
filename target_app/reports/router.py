"""The HTTP endpoints of reports."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row

from target_app.reports.repository import Reports
from target_app.reports.schemas import BestSeller

router = APIRouter(prefix="/reports", tags=["reports"])

Top = Annotated[int, Query(ge=1, le=100)]
"""How many ranks to list."""


@router.get("/best-sellers", response_model=list[BestSeller])
async def best_sellers(reports: Reports, top: Top = 3) -> Sequence[Row[Any]]:
    """List the products that brought most, category by category."""
    return await reports.best_sellers(top=top)
