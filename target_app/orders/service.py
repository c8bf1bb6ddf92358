"""The rules of ordering: what is sold was in stock, and a refused order leaves nothing behind.

A module of its own because an order touches three domains, and because what is a savepoint's
work here and what is a lock's must be seen side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy.exc import IntegrityError

from target_app.db import Session
from target_app.errors import NotFoundError, RuleError
from target_app.models import Inventory, Order, OrderLine, Product, User
from target_app.orders.repository import Orders
from target_app.orders.schemas import LineCreate, OrderCreate
from target_app.products.repository import Products


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order of a batch was not placed."""

    reason: str


class Ordering:
    """Places orders."""

    def __init__(self, session: Session, orders: Orders, products: Products) -> None:
        self._session = session
        self._orders = orders
        self._products = products

    async def place(self, new: OrderCreate) -> Order:
        """Place an order.

        Raises:
            NotFoundError: The customer or a product does not exist.
            RuleError: There is too little of a product.
        """
        return await self._place(new, await self._stock_for([new]))

    async def place_all(self, batch: Sequence[OrderCreate]) -> list[Order | Refusal]:
        """Place those orders of a batch that can be placed, in its order."""
        # The stock of the whole batch at once: locked order by order, two batches could each
        # hold what the other needs next.
        stock = await self._stock_for(batch)
        outcomes: list[Order | Refusal] = []
        for new in batch:
            try:
                outcomes.append(await self._place(new, stock))
            except (NotFoundError, RuleError) as refused:
                outcomes.append(Refusal(str(refused)))
        return outcomes

    async def _stock_for(self, batch: Sequence[OrderCreate]) -> Mapping[int, Inventory]:
        return await self._products.locked_stock(
            {line.product_id for new in batch for line in new.lines}
        )

    async def _place(self, new: OrderCreate, stock: Mapping[int, Inventory]) -> Order:
        # A savepoint: what follows is taken back alone when the order is refused, and a
        # statement that fails does not end PostgreSQL's whole transaction.
        async with self._session.begin_nested():
            order = await self._add(Order(customer_id=new.customer_id, lines=[]))
            order.lines.extend(_lines(new.lines, stock))
            await self._session.flush()
        return order

    async def _add(self, order: Order) -> Order:
        """Insert the order; its foreign key knows whether the customer exists, and keeps him."""
        try:
            return await self._orders.rows.add(order)
        except IntegrityError as error:
            raise NotFoundError(User.__tablename__, order.customer_id) from error


def _lines(wanted: Sequence[LineCreate], stock: Mapping[int, Inventory]) -> list[OrderLine]:
    # All are looked at before the first is taken: a savepoint that is taken back expires the
    # rows that were changed in it, and the next order of a batch could not read them.
    in_product_order = sorted(wanted, key=lambda line: line.product_id)
    for line in in_product_order:
        if line.product_id not in stock:
            raise NotFoundError(Product.__tablename__, line.product_id)
        if stock[line.product_id].quantity < line.quantity:
            raise RuleError(f"there are fewer than {line.quantity} of product {line.product_id}")
    return [_taken(stock[line.product_id], line.quantity) for line in in_product_order]


def _taken(inventory: Inventory, quantity: int) -> OrderLine:
    inventory.quantity -= quantity
    product = inventory.product
    return OrderLine(product=product, quantity=quantity, unit_price_cents=product.price_cents)


async def get_ordering(session: Session, orders: Orders, products: Products) -> Ordering:
    """Return the ordering of this request."""
    return Ordering(session, orders, products)


OrderingService = Annotated[Ordering, Depends(get_ordering)]
"""The service, as endpoints ask for it."""
