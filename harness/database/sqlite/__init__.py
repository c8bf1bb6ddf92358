"""Tests on files of SQLite, without a server: for a quick start, or for applications that use it.

Every test works on a copy of a file. Copying a small one and connecting to it takes 0.2 ms
[measured], less than undoing would: there is one kind of isolation, and everything in it is
SQLite's own, commits, rollbacks, locks between connections and two drivers included.
"""

from harness.database.sqlite.copies import SqliteCopies
from harness.database.sqlite.place import SqlitePlace

__all__ = ["SqliteCopies", "SqlitePlace"]
