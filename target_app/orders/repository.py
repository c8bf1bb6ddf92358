"""The queries about orders, which always come with their lines and the products of those."""

from collections.abc import Collection, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from target_app.db import Session
from target_app.errors import NotFoundError
from target_app.models import Order, OrderLine, OrderStatus
from target_app.orders.schemas import OrderListing
from target_app.repository import Repository, one_page


class OrderRepository:
    """Orders through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rows = Repository(session, Order)

    async def page(self, listing: OrderListing) -> Sequence[Order]:
        """Return one page of orders with their lines, in two statements."""
        found = _with_lines().order_by(Order.id)
        if listing.customer_id is not None:
            found = found.where(Order.customer_id == listing.customer_id)
        orders = await self._session.scalars(one_page(found, listing))
        return orders.all()

    async def detail(self, order_id: int) -> Order:
        """Return one order with its lines.

        Raises:
            NotFoundError: There is no such order.
        """
        order = await self._session.scalar(_with_lines().where(Order.id == order_id))
        if order is None:
            raise NotFoundError(Order.__tablename__, order_id)
        return order


async def mark_confirmed(session: AsyncSession, order_ids: Collection[int]) -> None:
    """Confirm those of these orders that are still only placed; a repetition changes nothing."""
    await session.execute(
        update(Order)
        .where(Order.id.in_(order_ids), Order.status == OrderStatus.PLACED)
        .values(status=OrderStatus.CONFIRMED)
    )


def _with_lines() -> Select[Order]:
    with_product = joinedload(OrderLine.product, innerjoin=True)
    return select(Order).options(selectinload(Order.lines).options(with_product))


async def get_orders(session: Session) -> OrderRepository:
    """Return the orders of this request's session; tests override this dependency."""
    return OrderRepository(session)


Orders = Annotated[OrderRepository, Depends(get_orders)]
"""The orders, as endpoints and services ask for them; tests override `get_orders`."""
