"""Constraints that are checked at COMMIT are checked where an application believes it commits.

RELEASE checks nothing, so a violation would never be seen. `SET CONSTRAINTS ALL IMMEDIATE` checks
what is pending, and would leave the constraints immediate: those that begin as deferred are named
to be so again. (Rolling the check back to a savepoint restores them as well, but every commit would
check all rows of the test anew: measured with 19,000 of them, 95 ms against 2.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CATALOG", "DeferredConstraints", "undo_checkpoint"]

# Of all schemas, since an application may work in several. A name that also belongs to a constraint
# of another timing cannot be set by name without changing, or being refused by, that one.
CATALOG = """
SELECT coalesce(string_agg(format('%I.%I', schema, name), ', ') FILTER (WHERE is_pure), ''),
       coalesce(bool_or(NOT is_pure), false)
FROM (
    SELECT n.nspname AS schema, c.conname AS name, bool_and(c.condeferred) AS is_pure
    FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
    WHERE has_schema_privilege(n.oid, 'USAGE')
    GROUP BY n.nspname, c.conname
    HAVING bool_or(c.condeferred)
) AS deferred
"""
_CHECKPOINT = "harness_check"
_CHECK = "SET CONSTRAINTS ALL IMMEDIATE"


@dataclass(frozen=True, slots=True)
class DeferredConstraints:
    """The constraints of a database that are checked at COMMIT unless told otherwise."""

    names: str = ""
    """Ready for SQL: with their schemas, quoted, separated by commas."""
    has_mixed_names: bool = False
    """Whether some share their name with a constraint that is checked at once."""

    @classmethod
    def from_catalog(cls, row: Sequence[object]) -> DeferredConstraints:
        """What `CATALOG` answered."""
        return cls(str(row[0]), bool(row[1]))

    def __bool__(self) -> bool:
        return bool(self.names) or self.has_mixed_names

    def check(self) -> list[str]:
        """SQL that fails if a constraint is violated."""
        return _within_checkpoint(_CHECK, undo=True) if self.has_mixed_names else [_CHECK]

    def defer_again(self) -> list[str]:
        """SQL that ends what the check did; apart from it, since settings are restored between."""
        needed = self.names and not self.has_mixed_names
        return [f"SET CONSTRAINTS {self.names} DEFERRED"] if needed else []

    def check_of_buried(self) -> list[str]:
        """SQL of a check that may fail without harm to the later transaction around it."""
        return _within_checkpoint(*self.check(), *self.defer_again())


def _within_checkpoint(*sql: str, undo: bool = False) -> list[str]:
    back = [f"ROLLBACK TO {_CHECKPOINT}"] if undo else []
    return [f"SAVEPOINT {_CHECKPOINT}", *sql, *back, f"RELEASE {_CHECKPOINT}"]


def undo_checkpoint() -> str:
    """SQL that ends a savepoint in which something failed."""
    return f"ROLLBACK TO {_CHECKPOINT}; RELEASE {_CHECKPOINT}"
