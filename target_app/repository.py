"""A typed repository: the queries that are the same for every table.

A module of its own because the domains' repositories hold one of these (`rows`) instead of
inheriting from it; what a domain adds stands in its own package.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.errors import NotFoundError
from target_app.models import Base
from target_app.parameters import Pagination

Model = TypeVar("Model", bound=Base)


class Repository(Generic[Model]):
    """Rows of one table through one session; it flushes and never commits."""

    def __init__(self, session: AsyncSession, model: type[Model]) -> None:
        self._session = session
        self._model = model

    async def get(self, row_id: int) -> Model:
        """Return the row with this primary key.

        Raises:
            NotFoundError: There is none.
        """
        row = await self._session.get(self._model, row_id)
        if row is None:
            raise NotFoundError(self._model.__tablename__, row_id)
        return row

    async def page(self, page: Pagination) -> Sequence[Model]:
        """Return one page, ordered by primary key; relationships are not loaded."""
        in_order = select(self._model).order_by(*self._model.__table__.primary_key)
        rows = await self._session.scalars(in_order.limit(page.limit).offset(page.offset))
        return rows.all()

    async def add(self, row: Model) -> Model:
        """Insert the row and return it with its id and server defaults.

        Raises:
            sqlalchemy.exc.IntegrityError: A constraint refused it.
        """
        self._session.add(row)
        await self._session.flush()
        return row
