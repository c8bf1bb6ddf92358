"""The tables. Importing this package completes `Base.metadata`."""

from target_app.models.comments import Comment
from target_app.models.declarative import Base
from target_app.models.posts import Post, post_tags
from target_app.models.tags import Tag
from target_app.models.users import User

__all__ = ["Base", "Comment", "Post", "Tag", "User", "post_tags"]
