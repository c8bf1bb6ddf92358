"""The `orders` and `order_lines` tables."""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Enum, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey

if TYPE_CHECKING:
    from target_app.models.products import Product
    from target_app.models.users import User


class OrderStatus(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    CONFIRMED = "confirmed"


# An ENUM type of its own on PostgreSQL, a VARCHAR with a CHECK elsewhere; the values are stored,
# not the names of the members.
_status_type = Enum(
    OrderStatus,
    name="order_status",
    values_callable=lambda statuses: [status.value for status in statuses],
    create_constraint=True,
)


class Order(Base):
    """What a customer bought at once."""

    __tablename__ = "orders"

    id: Mapped[PrimaryKey]
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[OrderStatus] = mapped_column(
        _status_type, server_default=OrderStatus.PLACED.value
    )
    created_at: Mapped[CreatedAt]

    customer: Mapped["User"] = relationship()
    lines: Mapped[list["OrderLine"]] = relationship(
        back_populates="order", order_by="OrderLine.product_id", cascade="all, delete-orphan"
    )


class OrderLine(Base):
    """How many of one product, at the price of that moment."""

    __tablename__ = "order_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    order_id: Mapped[int] = mapped_column(
        ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True, index=True)
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]

    order: Mapped["Order"] = relationship(back_populates="lines")
    product: Mapped["Product"] = relationship()
