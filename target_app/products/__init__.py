"""Products and their stock."""

from target_app.products.router import router

__all__ = ["router"]
