"""Users: sign up, look up, change, authenticate, leave."""

from target_app.users.router import router

__all__ = ["router"]
