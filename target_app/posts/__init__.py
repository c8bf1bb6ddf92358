"""Posts with their comments and tags."""

from target_app.posts.router import router

__all__ = ["router"]
