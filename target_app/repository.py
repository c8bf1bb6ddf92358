"""A typed repository: the queries that are the same for every table.

A module of its own because the domains' repositories hold one of these (`rows`) instead of
inheriting from it; what a domain adds stands in its own package.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.errors import NotFoundError
from target_app.models import Base
from target_app.parameters import Pagination

Model = TypeVar("Model", bound=Base)
Listing = TypeVar("Listing", bound=Select[Any])

# Of each dialect its own `insert`, because `ON CONFLICT` is not standard SQL.
_INSERTS: dict[str, Callable[..., Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def one_page(listing: Listing, page: Pagination) -> Listing:
    """Cut the page out of a listing that has an order."""
    return listing.limit(page.limit).offset(page.offset)


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
        rows = await self._session.scalars(one_page(in_order, page))
        return rows.all()

    async def add(self, row: Model) -> Model:
        """Insert the row and return it with its id and server defaults.

        Raises:
            sqlalchemy.exc.IntegrityError: A constraint refused it.
        """
        self._session.add(row)
        await self._session.flush()
        return row

    async def add_missing(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert, in one statement, those rows that violate no unique constraint."""
        insert = _INSERTS[self._session.get_bind().dialect.name]
        await self._session.execute(insert(self._model).values(rows).on_conflict_do_nothing())

    async def update(self, row: Model, changes: Mapping[str, object]) -> Model:
        """Set these attributes of a row that this session has loaded.

        Raises:
            sqlalchemy.exc.IntegrityError: A constraint refused it.
        """
        for name, value in changes.items():
            setattr(row, name, value)
        await self._session.flush()
        return row

    async def delete(self, row_id: int) -> None:
        """Delete the row with this primary key.

        One statement, not `session.delete`: that would first load the rows that refer to it and
        set their foreign keys to NULL, while here the database's foreign keys say yes or no.

        Raises:
            NotFoundError: There is none.
            sqlalchemy.exc.IntegrityError: Rows of other tables still refer to it.
        """
        (key,) = self._model.__table__.primary_key
        deleted = delete(self._model).where(key == row_id).returning(key)
        if await self._session.scalar(deleted) is None:
            raise NotFoundError(self._model.__tablename__, row_id)
