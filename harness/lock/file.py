"""The committed file: read, written whole or not at all, and changed by one process at a time."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import LockError
from harness.lock.counts import QueryLock
from harness.lock.exclusive import exclusively
from harness.lock.reading import from_text
from harness.lock.written import SCHEMA_VERSION, to_text

__all__ = ["FILE_NAME", "SCHEMA_VERSION", "from_text", "read", "to_text", "updated", "write"]

FILE_NAME = "query-lock.json"
_WAIT_SECONDS = 30.0


def read(path: Path) -> QueryLock:
    """Read a lock.

    Raises:
        LockError: If there is none, or it cannot be read.
    """
    lock = _found(path)
    if lock is None:
        raise LockError(
            "there is no query lock",
            where=_shown(path),
            remedy="make one of what the tests do now: pytest --query-lock=create",
        )
    return lock


def write(path: Path, lock: QueryLock, *, is_form_kept: bool = True) -> None:
    """Write a lock: the whole file or nothing, and nothing where it says the same already.

    An existing file keeps its mode, and a link goes on leading to where it leads.

    Args:
        path: The file.
        lock: What it is to say.
        is_form_kept: Whether a file with other line ends or blanks says the same.

    Raises:
        LockError: If the folder does not let us.
    """
    with _explained(path):
        target = path.resolve()
        if not (is_form_kept and _says_already(target, lock)):
            _replace(target, to_text(lock))


def updated(
    path: Path,
    change: Callable[[QueryLock], QueryLock],
    *,
    wait_seconds: float = _WAIT_SECONDS,
) -> QueryLock:
    """Read, change and write a lock while no other process does.

    Args:
        path: The file; where there is none, an empty lock is changed, and an empty one is none.
        change: What becomes of it.
        wait_seconds: How long to wait for another process.

    Returns:
        What the file says now.

    Raises:
        LockError: If it cannot be read or written.
    """
    target = path.resolve()
    with _explained(path), exclusively(target, wait_seconds=wait_seconds):
        before = _found(path) or QueryLock()
        after = change(before)
        if after != before:
            _replace(target, to_text(after))
    return after


def _found(path: Path) -> QueryLock | None:
    """The lock; None where there is no file."""
    try:
        # Some editors of Windows begin a file with a mark of its encoding.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise LockError(
            f"the query lock cannot be read: byte {error.start} is no UTF-8",
            where=_shown(path),
            remedy="take it from the commit before the damage, or delete it, then pytest "
            "--query-lock=update",
        ) from None
    except OSError as error:
        raise _refused("read", path, error) from error
    return from_text(text, where=_shown(path))


def _says_already(path: Path, lock: QueryLock) -> bool:
    """Whether a file says the same, be it with other line ends or blanks."""
    try:
        return _found(path) == lock
    except LockError:
        return False  # it is being replaced: what it said does not matter


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        # Made as any new file is, with the mode that the user's mask leaves.
        with new.open("x", encoding="ascii", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            new.chmod(path.stat().st_mode & 0o7777)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused("written", path, error) from error


def _refused(done: str, path: Path, error: OSError) -> LockError:
    return LockError(
        f"the query lock cannot be {done}: {error.strerror or error}",
        where=_shown(path),
        remedy="give the user who runs the tests the right to, or name another file",
    )


def _shown(path: Path) -> str:
    """As a person would type it."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
