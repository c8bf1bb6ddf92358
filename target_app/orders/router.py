"""The HTTP endpoints of orders."""

from collections.abc import Sequence

from fastapi import APIRouter, BackgroundTasks, status

from target_app.db import DatabaseOfApp
from target_app.errors import problems
from target_app.models import Order
from target_app.orders.confirmation import confirm_orders
from target_app.orders.repository import Orders
from target_app.orders.schemas import (
    BatchOutcome,
    Listing,
    NewOrders,
    OrderCreate,
    OrderRead,
    PlacedOrder,
    RefusedOrder,
)
from target_app.orders.service import OrderingService
from target_app.parameters import PathId

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post(
    "",
    response_model=OrderRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404),
)
async def place_order(
    new: OrderCreate,
    ordering: OrderingService,
    database: DatabaseOfApp,
    background: BackgroundTasks,
) -> Order:
    """Place an order; it is confirmed after the answer."""
    order = await ordering.place(new)
    background.add_task(confirm_orders, database, [order.id])
    return order


@router.post("/batch", responses=problems(400))
async def place_orders(
    batch: NewOrders,
    ordering: OrderingService,
    database: DatabaseOfApp,
    background: BackgroundTasks,
) -> list[BatchOutcome]:
    """Place up to 20 orders, each for itself: one that is refused does not stop the others."""
    outcomes = await ordering.place_all(batch)
    placed = [outcome.id for outcome in outcomes if isinstance(outcome, Order)]
    if placed:
        background.add_task(confirm_orders, database, placed)
    return [
        PlacedOrder(order=OrderRead.model_validate(outcome))
        if isinstance(outcome, Order)
        else RefusedOrder(reason=outcome.reason)
        for outcome in outcomes
    ]


@router.get("", response_model=list[OrderRead])
async def list_orders(listing: Listing, orders: Orders) -> Sequence[Order]:
    """List orders by id with their lines: all, or those of a customer."""
    return await orders.page(listing)


@router.get("/{order_id}", response_model=OrderRead, responses=problems(404))
async def read_order(order_id: PathId, orders: Orders) -> Order:
    """Return one order with its lines."""
    return await orders.detail(order_id)
