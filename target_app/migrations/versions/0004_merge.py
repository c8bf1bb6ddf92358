"""Merge of the two heads: 0002 and 0003 were written at the same time.

Revision: 0004, after both
"""

from collections.abc import Sequence

revision: str = "0004"
down_revision: str | Sequence[str] | None = ("0002", "0003")
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Change nothing: both branches are applied already."""


def downgrade() -> None:
    """Change nothing: the two heads are two again."""
