"""pytest-sqla: its own fixtures under the names that the tests here use."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

__all__ = ["async_session", "sync_session"]


@pytest.fixture
def async_session(sqla_async_session: AsyncSession) -> AsyncSession:
    """Rolled back."""
    return sqla_async_session


@pytest.fixture
def sync_session(sqla_session: Session) -> Session:
    """Rolled back."""
    return sqla_session
