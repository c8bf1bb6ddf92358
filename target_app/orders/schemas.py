"""What clients send and receive about orders."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from target_app.models import OrderStatus
from target_app.parameters import LARGEST_INTEGER, Pagination, RowId
from target_app.products.schemas import ProductSummary


class LineCreate(BaseModel):
    """How many of one product."""

    product_id: RowId
    quantity: int = Field(ge=1, le=LARGEST_INTEGER)


class OrderCreate(BaseModel):
    """A new order; the price of each line is that of its product at the time."""

    customer_id: RowId
    lines: list[LineCreate] = Field(min_length=1, max_length=50)

    @field_validator("lines")
    @classmethod
    def _name_no_product_twice(cls, lines: list[LineCreate]) -> list[LineCreate]:
        if len({line.product_id for line in lines}) < len(lines):
            raise ValueError("a product comes twice")
        return lines


NewOrders = Annotated[list[OrderCreate], Field(min_length=1, max_length=20)]
"""The body of a batch."""


class OrderListing(Pagination):
    """Which orders to list: those of a customer, or all."""

    customer_id: RowId | None = None


Listing = Annotated[OrderListing, Query()]
"""The filter and the page of a request, from its query string."""


class LineRead(BaseModel):
    """A line of an order."""

    model_config = ConfigDict(from_attributes=True)

    product: ProductSummary
    quantity: int
    unit_price_cents: int


class OrderRead(BaseModel):
    """An order with its lines."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    customer_id: int
    status: OrderStatus
    created_at: datetime
    lines: list[LineRead]


class PlacedOrder(BaseModel):
    """An order of a batch that stays."""

    outcome: Literal["placed"] = "placed"
    order: OrderRead


class RefusedOrder(BaseModel):
    """An order of a batch that left nothing behind, and why."""

    outcome: Literal["refused"] = "refused"
    reason: str


BatchOutcome = Annotated[PlacedOrder | RefusedOrder, Field(discriminator="outcome")]
