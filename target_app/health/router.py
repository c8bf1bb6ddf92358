"""The health endpoints.

Liveness must not ask the database: restarting this process does not repair another one.
"""

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from target_app.db import Session
from target_app.errors import UnavailableError
from target_app.health.schemas import Health

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """Answer as long as the process serves requests."""
    return Health()


@router.get("/ready")
async def ready(session: Session) -> Health:
    """Answer when a connection can be had and the database works; otherwise 503."""
    try:
        await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        message = f"the database does not answer ({type(error).__name__})"
        raise UnavailableError(message) from error
    return Health()
