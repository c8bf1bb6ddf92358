"""Orders, from the stock to the confirmation."""

from target_app.orders.router import router

__all__ = ["router"]
