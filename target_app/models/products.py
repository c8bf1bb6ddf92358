"""The `products` and `inventory` tables: what is sold, and how much of it is there.

Two tables because their rows live differently: a product is read often and changes rarely, its
stock is locked and changed by every order.
"""

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey
from target_app.models.types import Document, DocumentType


class Product(Base):
    """Something that can be ordered."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("price_cents > 0", name="price_positive"),)

    id: Mapped[PrimaryKey]
    sku: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(50), index=True)
    price_cents: Mapped[int]
    # What differs from product to product: colour, weight, voltage.
    attributes: Mapped[Document] = mapped_column(DocumentType, default=dict)
    created_at: Mapped[CreatedAt]

    inventory: Mapped["Inventory"] = relationship(back_populates="product")


class Inventory(Base):
    """How many pieces of a product are in stock."""

    __tablename__ = "inventory"
    __table_args__ = (CheckConstraint("quantity >= 0", name="quantity_not_negative"),)

    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="CASCADE"), primary_key=True
    )
    quantity: Mapped[int]

    product: Mapped["Product"] = relationship(back_populates="inventory")
