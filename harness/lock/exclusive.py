"""One process at a time: a file beside the one that is worked on, held by the kernel's lock.

The kernel lets go however a process ends. The neighbour is removed again, because it stands in
somebody's repository: whoever waited for it looks whether it still is the file of that name.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import LockError

__all__ = ["exclusively", "is_file_of_that_name"]

_PAUSE_SECONDS = 0.01


@contextmanager
def exclusively(file: Path, *, wait_seconds: float) -> Iterator[None]:
    """Nobody else who asks for this file is inside such a block meanwhile.

    Args:
        file: What is worked on; it need not exist.
        wait_seconds: How long to wait for others.

    Raises:
        LockError: If another process stays inside for longer.
        OSError: If the folder does not let us.
    """
    neighbour = file.with_name(f".{file.name}.lock")
    descriptor = _held(neighbour, until=time.monotonic() + wait_seconds)
    try:
        yield
    finally:
        try:
            neighbour.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _held(neighbour: Path, *, until: float) -> int:
    while True:
        descriptor = _taken(neighbour)
        if descriptor is not None:
            return descriptor
        if time.monotonic() > until:
            raise LockError(
                "another process has been writing the query lock for too long",
                where=str(neighbour),
                remedy="end the test run that does; the file beside the lock is nothing to delete",
            )
        time.sleep(_PAUSE_SECONDS)


def _taken(neighbour: Path) -> int | None:
    """The descriptor that holds it; None while another process does."""
    descriptor = os.open(neighbour, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = is_file_of_that_name(descriptor, neighbour)
    except BlockingIOError:
        is_ours = False
    except BaseException:
        os.close(descriptor)
        raise
    if is_ours:
        return descriptor
    os.close(descriptor)
    return None


def is_file_of_that_name(descriptor: int, neighbour: Path) -> bool:
    """Whether what we hold is what others find there.

    Whoever was inside removes the file when leaving: between our opening and our locking it, too.
    A lock on a file that has no name keeps nobody out.
    """
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), neighbour.stat())
    return False
