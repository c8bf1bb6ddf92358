"""The tables. Importing this package completes `Base.metadata`."""

from target_app.models.accounts import Account, Transfer
from target_app.models.comments import Comment
from target_app.models.declarative import Base
from target_app.models.orders import Order, OrderLine, OrderStatus
from target_app.models.posts import Post, post_tags
from target_app.models.products import Inventory, Product
from target_app.models.tags import Tag
from target_app.models.todos import Todo
from target_app.models.users import User

__all__ = [
    "Account",
    "Base",
    "Comment",
    "Inventory",
    "Order",
    "OrderLine",
    "OrderStatus",
    "Post",
    "Product",
    "Tag",
    "Todo",
    "Transfer",
    "User",
    "post_tags",
]
