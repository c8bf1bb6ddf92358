"""Reports: what the shop sold, computed by the database."""

from target_app.reports.router import router

__all__ = ["router"]
