"""The queries of reports: rows of columns, not of models, because nobody will change them.

A module of its own because a report belongs to none of the tables that it reads.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import BigInteger, Row, Subquery, cast, func, select

from target_app.db import Session
from target_app.models import OrderLine, Product


class ReportRepository:
    """Reports through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def best_sellers(self, *, top: int) -> Sequence[Row[Any]]:
        """Return the `top` ranks of every category by revenue, in one statement.

        Window functions are computed after WHERE, so choosing by rank takes a query around them.
        """
        ranked = _ranked(_sales())
        rows = await self._session.execute(
            select(ranked)
            .where(ranked.c.rank <= top)
            .order_by(ranked.c.category, ranked.c.rank, ranked.c.product_id)
        )
        return rows.all()


def _sales() -> Subquery:
    """Units and revenue of each product that was ordered at all."""
    # As `bigint`: the product of two PostgreSQL `integer` is an `integer`, and may be too small.
    revenue = cast(OrderLine.quantity, BigInteger) * OrderLine.unit_price_cents
    return (
        select(
            Product.category,
            Product.id.label("product_id"),
            Product.name,
            func.sum(OrderLine.quantity).label("units"),
            func.sum(revenue).label("revenue_cents"),
        )
        .join(OrderLine, OrderLine.product_id == Product.id)
        .group_by(Product.id)
        .subquery("sales")
    )


def _ranked(sales: Subquery) -> Subquery:
    """Each product within its category: its rank, what it and the better ones brought, and all."""
    revenue, category = sales.c.revenue_cents, sales.c.category
    # ROWS, and the id as tie-breaker: the default, RANGE, adds equal revenues up at once.
    one_by_one = (revenue.desc(), sales.c.product_id)
    total = func.sum(revenue)
    return select(
        sales,
        func.rank().over(partition_by=category, order_by=revenue.desc()).label("rank"),
        total.over(partition_by=category, order_by=one_by_one, rows=(None, 0)).label(
            "running_total_cents"
        ),
        total.over(partition_by=category).label("category_cents"),
    ).subquery("ranked")


async def get_reports(session: Session) -> ReportRepository:
    """Return the reports of this request's session; tests override this dependency."""
    return ReportRepository(session)


Reports = Annotated[ReportRepository, Depends(get_reports)]
"""The reports, as endpoints ask for them; tests override `get_reports`."""
