"""Accounts and the transfers between them."""

from target_app.accounts.router import router

__all__ = ["router"]
