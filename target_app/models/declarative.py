"""The declarative base and the columns that many tables have.

A module of its own because all tables import it and it imports none of them.
"""

from datetime import datetime
from typing import Annotated

from sqlalchemy import Identity, MetaData, func
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, mapped_column

from target_app.models.types import MomentType

PrimaryKey = Annotated[int, mapped_column(Identity(), primary_key=True)]
CreatedAt = Annotated[datetime, mapped_column(MomentType, server_default=func.now())]


class Base(AsyncAttrs, DeclarativeBase):
    """The base of all models; `AsyncAttrs` adds `awaitable_attrs` for explicit lazy loads."""

    # Named constraints can be dropped by a migration; PostgreSQL's own names differ from
    # other databases', and unnamed CHECKs have none that Alembic could refer to.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
