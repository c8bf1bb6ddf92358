"""Todos of users; `target_app.sync_twin` serves the same with blocking sessions."""

from target_app.todos.router import router

__all__ = ["router"]
