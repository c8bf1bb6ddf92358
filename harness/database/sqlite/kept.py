"""The files of failed tests, kept to be looked into: the newest few of a user.

In the folder for temporary files, where a shell can reach them after the run; each in a folder of
its own, which nobody else can have prepared. How many there are is looked up when one more is kept,
so that any number of runs leaves no more than a few.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from harness.database.copies import MOST_KEPT
from harness.database.places import is_ours_alone
from harness.database.sqlite.backup import back_up

__all__ = ["keep_file"]

PREFIX = "harness-kept-"
_MOST_LETTERS = 40
_WAIT_SECONDS = 0.5
"""For a transaction of the failed test that is still open, and will be."""


def keep_file(file: Path, *, test: str, base: Path | None = None) -> Path:
    """Copy a database, what is in its log included, and remove the oldest of those kept.

    Args:
        file: Of the test, whose connections may be open.
        test: Its name.
        base: Where to keep it; default: the folder for temporary files.

    Raises:
        sqlite3.Error: A transaction holds it locked, or there is no room.
    """
    base = base or Path(tempfile.gettempdir())
    kept = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base)) / f"{_as_file_name(test)}.db"
    with closing(sqlite3.connect(file)) as source:
        back_up(source, kept, wait_seconds=_WAIT_SECONDS)
    found = [folder for folder in base.glob(f"{PREFIX}*") if is_ours_alone(folder)]
    newest_first = sorted(found, key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in newest_first[MOST_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)  # another run may be removing it
    return kept


def _as_file_name(test: str) -> str:
    name = test.rpartition("::")[2]
    return "".join(letter if letter.isalnum() else "_" for letter in name)[:_MOST_LETTERS].strip(
        "_"
    )
