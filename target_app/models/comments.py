"""The `comments` table: answers to a post, and answers to those."""

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey

if TYPE_CHECKING:
    from target_app.models.posts import Post
    from target_app.models.users import User


class Comment(Base):
    """What a user says below a post, or in reply to another comment."""

    __tablename__ = "comments"

    id: Mapped[PrimaryKey]
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    # Deferred: checked at the commit, so that a whole thread can be inserted in any order.
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("comments.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        index=True,
    )
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    post: Mapped["Post"] = relationship(back_populates="comments")
    author: Mapped["User"] = relationship()
    parent: Mapped["Comment | None"] = relationship(
        back_populates="replies", remote_side="Comment.id"
    )
    replies: Mapped[list["Comment"]] = relationship(back_populates="parent", order_by="Comment.id")
