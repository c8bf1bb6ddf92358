"""The queries about products and their stock."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy import ColumnElement, Select, Text, case, cast, insert, select
from sqlalchemy.orm import joinedload

from target_app.db import Session
from target_app.errors import NotFoundError
from target_app.models import Inventory, Product
from target_app.products.schemas import ProductListing
from target_app.repository import Repository, one_page


class ProductRepository:
    """Products and their stock through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rows = Repository(session, Product)

    async def page(self, listing: ProductListing) -> Sequence[Product]:
        """Return one page of the products that the filter lets through, without their stock."""
        found = _filtered(select(Product).order_by(Product.id), listing)
        products = await self._session.scalars(one_page(found, listing))
        return products.all()

    async def detail(self, product_id: int) -> Product:
        """Return one product with its stock.

        Raises:
            NotFoundError: There is no such product.
        """
        with_stock = select(Product).options(joinedload(Product.inventory, innerjoin=True))
        product = await self._session.scalar(with_stock.where(Product.id == product_id))
        if product is None:
            raise NotFoundError(Product.__tablename__, product_id)
        return product

    async def locked_stock(self, product_ids: Collection[int]) -> dict[int, Inventory]:
        """Return the stock of those of these products that exist, by product id.

        One statement locks all rows, in product order: orders of the same products with their
        lines in opposite order wait for each other in a row and not in a circle. Only the stock
        is locked (`of`), with its product beside it; whoever reads products waits for nobody.
        SQLite has no row locks; there the whole transaction holds the write lock already.
        """
        locked = await self._session.scalars(
            select(Inventory)
            .options(joinedload(Inventory.product, innerjoin=True))
            .where(Inventory.product_id.in_(product_ids))
            .order_by(Inventory.product_id)
            .with_for_update(of=Inventory)
            # A quantity that was read before the wait for the lock is an old one.
            .execution_options(populate_existing=True)
        )
        return {inventory.product_id: inventory for inventory in locked}

    async def add_all(
        self, products: Sequence[Mapping[str, object]], stocks: Sequence[int]
    ) -> Sequence[Product]:
        """Insert many products with their stock, in a few statements rather than two for each.

        SQLAlchemy packs a list of values into `INSERT … VALUES (…), (…), …` of up to 1000 rows
        ("insertmanyvalues"). The database may return the new rows in any order; in that of the
        list only when it is asked for, and then the stocks can be put beside them.

        Raises:
            sqlalchemy.exc.IntegrityError: An SKU exists already, or comes twice.
        """
        returning = insert(Product).returning(Product, sort_by_parameter_order=True)
        inserted = (await self._session.scalars(returning, products)).all()
        await self._session.execute(
            insert(Inventory),
            [
                {"product_id": product.id, "quantity": stock}
                for product, stock in zip(inserted, stocks, strict=True)
            ],
        )
        return inserted


def _filtered(products: Select[Product], listing: ProductListing) -> Select[Product]:
    if listing.category is not None:
        products = products.where(Product.category == listing.category)
    if listing.attribute is not None:
        products = products.where(_has(listing.attribute, listing.value))
    return products


def _has(name: str, value: str | None) -> ColumnElement[bool]:
    as_text: ColumnElement[str] = Product.attributes[name].as_string()
    if value is None:
        return as_text.is_not(None)
    # SQLite's JSON_EXTRACT makes 1 of `true`; `->` leaves it as it is written, on both databases.
    as_written = cast(Product.attributes.op("->")(name), Text)
    truths = as_written.in_(("true", "false"))
    return case((truths, as_written), else_=as_text) == value


async def get_products(session: Session) -> ProductRepository:
    """Return the products of this request's session; tests override this dependency."""
    return ProductRepository(session)


Products = Annotated[ProductRepository, Depends(get_products)]
"""The products, as endpoints and services ask for them; tests override `get_products`."""
