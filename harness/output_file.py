"""Where a child process writes: a file without a name, gone with its reader however that ends.

A module of its own, because a clean-up that must not be forgotten is one that nobody has to do: not
at `os._exit`, which a Ctrl-C in Locust's process comes to, and not at ``kill -9``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["output_file"]

_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def output_file() -> Iterator[tuple[IO[str], Path]]:
    """Open an empty file, which is gone at the end of the block.

    Yields:
        The file, and a path at which every process of this user can read it inside the block. Where
        there is no ``/proc``, the file has a name, which outlives a process that is killed.
    """
    if _DESCRIPTORS.is_dir():
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            yield file, Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        return
    with tempfile.NamedTemporaryFile(
        "w+", encoding="utf-8", prefix="harness-", suffix=".log"
    ) as named:
        yield named.file, Path(named.name)
