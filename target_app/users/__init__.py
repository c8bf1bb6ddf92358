"""Users: sign up, list, look up."""

from target_app.users.router import router

__all__ = ["router"]
