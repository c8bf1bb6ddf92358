"""The harness: its own fixtures under the names that the tests here use."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

__all__ = ["async_session", "sync_session"]


@pytest.fixture
def async_session(db_session: AsyncSession) -> AsyncSession:
    """Rolled back, or in a copy, as configured."""
    return db_session


@pytest.fixture
def sync_session(sync_db_session: Session) -> Session:
    """Rolled back, or in a copy, as configured."""
    return sync_db_session
