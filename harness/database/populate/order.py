"""In which order tables are filled: parents first, and what to do where there is no such order.

Pure, because it is the part where a mistake shows on one schema in a dozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.database.populate.models import TableKey

__all__ = ["Link", "filling_order"]


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key."""

    columns: tuple[str, ...]
    parent: TableKey
    parent_columns: tuple[str, ...]
    is_nullable: bool
    """Whether a row may do without the parent: one of the columns takes NULL."""


def filling_order(links: Mapping[TableKey, Sequence[Link]]) -> list[TableKey]:
    """Tables so that each comes after what it must refer to, and if it can be, after all.

    Where a cycle holds nothing but foreign keys that are NOT NULL, the table with the fewest open
    ones comes first: it is refused, or served by rows that are there already.

    Args:
        links: Foreign keys by table; those to tables that are not among them do not count.
    """
    waiting = dict.fromkeys(sorted(links))
    order: list[TableKey] = []
    while waiting:
        chosen = min(waiting, key=lambda key: _open(key, links[key], waiting))
        waiting.pop(chosen)
        order.append(chosen)
    return order


def _open(
    key: TableKey, links: Sequence[Link], waiting: Mapping[TableKey, None]
) -> tuple[int, int, TableKey]:
    """How many parents are missing: those that must be there, and those that may."""
    missing = [link for link in links if link.parent in waiting and link.parent != key]
    required = sum(not link.is_nullable for link in missing)
    return required, len(missing) - required, key
