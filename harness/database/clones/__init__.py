"""A database for one test: a copy of what the run prepared, with everything real in it.

Commits, locks, NOTIFY, isolation levels and the clock are PostgreSQL's own, and several drivers,
threads and processes see the same rows. What `rollback` undoes is here thrown away.
"""

from harness.database.clones.own import Clones
from harness.database.clones.run import Run, begun_run
from harness.database.copies import Kind, TestDatabase

__all__ = ["Clones", "Kind", "Run", "TestDatabase", "begun_run"]
