"""The `tags` table."""

from typing import TYPE_CHECKING

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey

if TYPE_CHECKING:
    from target_app.models.posts import Post


class Tag(Base):
    """A word that posts are found by."""

    __tablename__ = "tags"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(50), unique=True)
    created_at: Mapped[CreatedAt]

    posts: Mapped[list["Post"]] = relationship(
        secondary="post_tags", back_populates="tags", order_by="Post.id"
    )
