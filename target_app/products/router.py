"""The HTTP endpoints of products."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from target_app.errors import problems
from target_app.models import Product
from target_app.parameters import PathId
from target_app.products.repository import Products
from target_app.products.schemas import (
    Listing,
    NewProducts,
    ProductCreate,
    ProductDetail,
    ProductRead,
    ProductSummary,
    ProductUpdate,
)
from target_app.products.service import CatalogueService

router = APIRouter(prefix="/products", tags=["products"])


@router.post(
    "",
    response_model=ProductDetail,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 409),
)
async def create_product(new: ProductCreate, catalogue: CatalogueService) -> Product:
    """Add a product to the catalogue."""
    return await catalogue.add(new)


@router.post(
    "/bulk",
    response_model=list[ProductSummary],
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 409),
)
async def create_products(new: NewProducts, catalogue: CatalogueService) -> Sequence[Product]:
    """Add up to 1000 products, all or none."""
    return await catalogue.add_all(new)


@router.get("", response_model=list[ProductRead])
async def list_products(listing: Listing, products: Products) -> Sequence[Product]:
    """List products by id: all, those of a category, those with an attribute (and its value)."""
    return await products.page(listing)


@router.get("/{product_id}", response_model=ProductDetail, responses=problems(404))
async def read_product(product_id: PathId, products: Products) -> Product:
    """Return one product with its stock."""
    return await products.detail(product_id)


@router.patch(
    "/{product_id}",
    response_model=ProductDetail,
    responses=problems(400, 404),
)
async def change_product(
    product_id: PathId, changes: ProductUpdate, catalogue: CatalogueService
) -> Product:
    """Change name, price, attributes or stock; what is absent stays."""
    return await catalogue.change(product_id, changes)
