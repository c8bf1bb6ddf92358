"""What clients send and receive about products."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import AliasPath, BaseModel, ConfigDict, Field, model_validator

from target_app.models.types import Document
from target_app.parameters import LARGEST_INTEGER, Pagination, ShortText
from target_app.products.attributes import AttributeName, Attributes, AttributeText

Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Category = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00]*$")]
PriceCents = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
Stock = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]


class ProductCreate(BaseModel):
    """A new product and how many pieces of it there are."""

    sku: Sku
    name: ShortText
    category: Category
    price_cents: PriceCents
    attributes: Attributes = Field(default={})
    stock: Stock = 0


NewProducts = Annotated[list[ProductCreate], Field(min_length=1, max_length=1000)]
"""The body of a bulk insert."""


class ProductUpdate(BaseModel):
    """What is to change; whatever is absent or null stays as it is."""

    name: ShortText | None = None
    price_cents: PriceCents | None = None
    attributes: Attributes | None = None
    stock: Stock | None = None


class ProductListing(Pagination):
    """Which products to list: those of a category, those with an attribute, or all."""

    category: Category | None = None
    attribute: AttributeName | None = None
    value: AttributeText | None = None

    @model_validator(mode="after")
    def _value_is_of_an_attribute(self) -> Self:
        if self.value is not None and self.attribute is None:
            raise ValueError("a value to look for needs the name of its attribute")
        return self


Listing = Annotated[ProductListing, Query()]
"""The filter and the page of a request, from its query string."""


class ProductSummary(BaseModel):
    """A product inside another answer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    sku: str
    name: str


class ProductRead(ProductSummary):
    """A product in a listing."""

    category: str
    price_cents: int
    attributes: Document
    created_at: datetime


class ProductDetail(ProductRead):
    """A product with its stock."""

    stock: int = Field(validation_alias=AliasPath("inventory", "quantity"))
