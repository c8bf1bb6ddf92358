"""The `todos` table."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, false, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey
from target_app.models.types import MomentType

if TYPE_CHECKING:
    from target_app.models.users import User


class Todo(Base):
    """Something that a user means to do."""

    __tablename__ = "todos"
    # Serves both "the todos of this owner" and "of those, the open ones".
    __table_args__ = (Index(None, "owner_id", "done"),)

    id: Mapped[PrimaryKey]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    done: Mapped[bool] = mapped_column(server_default=false())
    due_at: Mapped[datetime | None] = mapped_column(MomentType)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(
        MomentType, server_default=func.now(), onupdate=func.now()
    )

    owner: Mapped["User"] = relationship()
