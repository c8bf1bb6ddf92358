"""A folder that is made for one process, gone with it, and swept by the next one if it was killed.

While its owner lives it holds a lock on a file in the folder, which the kernel gives back however
the owner ends. For files that others read by their names; what needs none is better unlinked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.database.places import is_ours_alone

__all__ = ["LivingFolder"]

_LOCK = "lives"
_BEFORE_LOCK = "begins"
_MAKING_SECONDS = 3600


@dataclass(slots=True, eq=False)
class LivingFolder:
    """One such folder.

    Attributes:
        path: Where it is, with a file or two of its own in it.
    """

    path: Path
    _lock: int

    @classmethod
    def begin(cls, prefix: str, *, base: Path | None = None) -> LivingFolder:
        """Make a folder, and clear away those of the same prefix whose owners were killed.

        Args:
            prefix: Of its name, and of nobody else's: ``"harness-sqlite-"``.
            base: Where to make it; default: the folder for temporary files.

        Raises:
            OSError: Nothing can be written there.
        """
        base = base or Path(tempfile.gettempdir())
        _sweep(prefix, base)
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        return cls(path, _taken_lock(path))

    def close(self) -> None:
        """Remove it. May be called twice."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _taken_lock(folder: Path) -> int:
    lock = os.open(folder / _BEFORE_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Under its name only when it is held: nobody who sweeps ever finds a living owner's free.
    (folder / _BEFORE_LOCK).rename(folder / _LOCK)
    return lock


def _sweep(prefix: str, base: Path) -> None:
    for folder in base.glob(f"{prefix}*"):
        if is_ours_alone(folder) and _is_over(folder):
            shutil.rmtree(folder, ignore_errors=True)  # another process may be sweeping, too


def _is_over(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return _is_abandoned(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _is_abandoned(folder: Path) -> bool:
    """A folder that is just being made has no lock yet: for less than a second."""
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > _MAKING_SECONDS
    return False
