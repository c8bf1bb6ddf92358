"""Replies to comments, todos, accounts and transfers.

Revision: 0002, after 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    # Batch mode: SQLite cannot add a constraint to a table, so there Alembic copies the table.
    with op.batch_alter_table("comments") as comments:
        comments.add_column(sa.Column("parent_id", sa.Integer))
        comments.create_foreign_key(
            op.f("fk_comments_parent_id_comments"),
            "comments",
            ["parent_id"],
            ["id"],
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        )
        comments.create_index(op.f("ix_comments_parent_id"), ["parent_id"])
    op.create_table(
        "todos",
        _primary_key(),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        _moment(),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_todos_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_todos")),
    )
    op.create_index(op.f("ix_todos_owner_id_done"), "todos", ["owner_id", "done"])
    op.create_table(
        "accounts",
        _primary_key(),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("balance_cents", sa.BigInteger, nullable=False),
        _moment(),
        sa.CheckConstraint("balance_cents >= 0", name=op.f("ck_accounts_balance_not_negative")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_accounts_owner_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index(op.f("ix_accounts_owner_id"), "accounts", ["owner_id"])
    op.create_table(
        "transfers",
        _primary_key(),
        sa.Column("source_id", sa.Integer, nullable=False),
        sa.Column("target_id", sa.Integer, nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        _moment(),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint("source_id <> target_id", name=op.f("ck_transfers_two_accounts")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["accounts.id"], name=op.f("fk_transfers_source_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["accounts.id"], name=op.f("fk_transfers_target_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_source_id"), "transfers", ["source_id"])
    op.create_index(op.f("ix_transfers_target_id"), "transfers", ["target_id"])


def downgrade() -> None:
    """Take this revision back; replies become comments like any other."""
    for table in ("transfers", "accounts", "todos"):
        op.drop_table(table)
    with op.batch_alter_table("comments") as comments:
        comments.drop_index(op.f("ix_comments_parent_id"))
        comments.drop_constraint(op.f("fk_comments_parent_id_comments"), type_="foreignkey")
        comments.drop_column("parent_id")


def _primary_key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, sa.Identity(), nullable=False)


def _moment(name: str = "created_at") -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
