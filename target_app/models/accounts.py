"""The `accounts` and `transfers` tables: money, in cents."""

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from target_app.models.declarative import Base, CreatedAt, PrimaryKey

if TYPE_CHECKING:
    from target_app.models.users import User


class Account(Base):
    """A user's money; the constraint is the last line of defence against an overdraft."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("balance_cents >= 0", name="balance_not_negative"),)

    id: Mapped[PrimaryKey]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    balance_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]

    owner: Mapped["User"] = relationship()


class Transfer(Base):
    """Money that went from one account to another."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint("source_id <> target_id", name="two_accounts"),
    )

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
