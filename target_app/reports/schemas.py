"""What reports answer."""

from pydantic import BaseModel, ConfigDict


class BestSeller(BaseModel):
    """A product among those that brought most in its category; money in cents.

    Attributes:
        rank: 1 for the best of the category; equal revenue has equal rank.
        running_total_cents: Revenue of this product and all better ones of the category.
        category_cents: Revenue of the whole category, products that are not listed included.
    """

    model_config = ConfigDict(from_attributes=True)

    category: str
    rank: int
    product_id: int
    name: str
    units: int
    revenue_cents: int
    running_total_cents: int
    category_cents: int
