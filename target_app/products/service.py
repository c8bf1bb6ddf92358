"""The rules of the catalogue: each product has its stock from the first moment on.

A module of its own because a product is two rows, and nobody else needs to know that.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends

from target_app.models import Inventory, Product
from target_app.products.repository import Products
from target_app.products.schemas import NewProducts, ProductCreate, ProductUpdate


class Catalogue:
    """Adds products and changes them."""

    def __init__(self, products: Products) -> None:
        self._products = products

    async def add(self, new: ProductCreate) -> Product:
        """Add one product.

        Raises:
            sqlalchemy.exc.IntegrityError: Its SKU exists already.
        """
        product = Product(
            **new.model_dump(exclude={"stock"}), inventory=Inventory(quantity=new.stock)
        )
        return await self._products.rows.add(product)

    async def add_all(self, new: NewProducts) -> Sequence[Product]:
        """Add many products, all or none.

        Raises:
            sqlalchemy.exc.IntegrityError: An SKU exists already, or comes twice.
        """
        return await self._products.add_all(
            [product.model_dump(exclude={"stock"}) for product in new],
            [product.stock for product in new],
        )

    async def change(self, product_id: int, changes: ProductUpdate) -> Product:
        """Change some of a product; attributes are replaced as a whole.

        Raises:
            NotFoundError: There is no such product.
        """
        product = await self._products.detail(product_id)
        if changes.stock is not None:
            # Without the orders' lock: the new number does not depend on the old one.
            product.inventory.quantity = changes.stock
        changed = changes.model_dump(exclude={"stock"}, exclude_none=True)
        return await self._products.rows.update(product, changed)


async def get_catalogue(products: Products) -> Catalogue:
    """Return the catalogue of this request."""
    return Catalogue(products)


CatalogueService = Annotated[Catalogue, Depends(get_catalogue)]
"""The service, as endpoints ask for it."""
