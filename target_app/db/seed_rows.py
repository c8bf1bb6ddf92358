"""What the seeded rows say: row number `n` of each table, the same in every database.

A module of its own because this is all content and no database; `seed` writes it. Times are
fixed too, a minute apart, so that an answer of a seeded database can be compared byte by byte.
"""

from datetime import UTC, datetime, timedelta

from pwdlib.hashers.argon2 import Argon2Hasher

from target_app.models import OrderStatus

Row = dict[str, object]

SEEDED_PASSWORD = "seeded-password"  # noqa: S105 - documented, and refused in production
"""The password of every seeded user."""

_SALT = b"target_app seeds"  # 16 bytes; a random one would make the rows differ every time
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_CATEGORIES = ("books", "garden", "kitchen", "music", "tools")
_COLOURS = ("black", "green", "red", "white")
_OPENING_BALANCE_CENTS = 100_000
_TRANSFER_CENTS = 2_500


def hash_of_seeded_password() -> str:
    """Return the hash for all users; one takes as long as thousands of inserts."""
    return Argon2Hasher().hash(SEEDED_PASSWORD, salt=_SALT)


def user(n: int, *, password_hash: str) -> Row:
    """Return a user: `user1@example.org` is the first."""
    return {
        "email": f"user{n}@example.org",
        "name": f"User {n}",
        "password_hash": password_hash,
        "created_at": _moment(n),
    }


def tag(n: int) -> Row:
    """Return a tag."""
    return {"name": f"tag-{n}", "created_at": _moment(n)}


def post(n: int, *, author_id: int) -> Row:
    """Return a post."""
    return {
        "author_id": author_id,
        "title": f"Post {n}",
        "body": f"What user {n} has to say.",
        "created_at": _moment(n),
    }


def comment(n: int, *, post_id: int, author_id: int, parent_id: int | None = None) -> Row:
    """Return a comment, a reply if it has a parent."""
    kind = "Comment on" if parent_id is None else "Reply below"
    return {
        "post_id": post_id,
        "author_id": author_id,
        "parent_id": parent_id,
        "body": f"{kind} post {n}.",
        "created_at": _moment(n),
    }


def todo(n: int, *, owner_id: int) -> Row:
    """Return a todo; one in four is done, one in three has no date."""
    return {
        "owner_id": owner_id,
        "title": f"Todo {n}",
        "done": n % 4 == 0,
        "due_at": None if n % 3 == 0 else _moment(n) + timedelta(days=n % 30),
        "created_at": _moment(n),
        "updated_at": _moment(n),
    }


def account(n: int, *, owner_id: int) -> Row:
    """Return an account; every account sends and gets the same, so its balance is the opening."""
    return {
        "owner_id": owner_id,
        "balance_cents": _OPENING_BALANCE_CENTS,
        "created_at": _moment(n),
    }


def transfer(n: int, *, source_id: int, target_id: int) -> Row:
    """Return a transfer."""
    return {
        "source_id": source_id,
        "target_id": target_id,
        "amount_cents": _TRANSFER_CENTS,
        "created_at": _moment(n),
    }


def product(n: int) -> Row:
    """Return a product."""
    return {
        "sku": f"SKU-{n:06}",
        "name": f"Product {n}",
        "category": _CATEGORIES[n % len(_CATEGORIES)],
        "price_cents": _price_cents(n),
        "attributes": {"colour": _COLOURS[n % len(_COLOURS)], "weight_grams": 100 + n % 900},
        "created_at": _moment(n),
    }


def inventory(n: int, *, product_id: int) -> Row:
    """Return how much of a product is there: from 100 pieces to 149."""
    return {"product_id": product_id, "quantity": 100 + n % 50}


def order(n: int, *, customer_id: int) -> Row:
    """Return an order; every other one is confirmed."""
    status = OrderStatus.PLACED if n % 2 else OrderStatus.CONFIRMED
    return {"customer_id": customer_id, "status": status, "created_at": _moment(n)}


def order_line(product: int, *, order_id: int, product_id: int) -> Row:
    """Return a line about product number `product`, at its price."""
    return {
        "order_id": order_id,
        "product_id": product_id,
        "quantity": 1 + product % 3,
        "unit_price_cents": _price_cents(product),
    }


def _price_cents(n: int) -> int:
    return 199 + 100 * (n % 97)


def _moment(n: int) -> datetime:
    return _BEGIN + timedelta(minutes=n)
