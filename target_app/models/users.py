"""The `users` table."""

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey

if TYPE_CHECKING:
    from target_app.models.posts import Post


class User(Base):
    """Someone who writes posts and comments, has todos and accounts, and orders."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email LIKE '%_@_%'", name="email_has_at_sign"),)

    id: Mapped[PrimaryKey]
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[CreatedAt]

    posts: Mapped[list["Post"]] = relationship(back_populates="author", order_by="Post.id")
