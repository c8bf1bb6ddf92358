"""Where on this machine the embedded server's files may lie.

Three questions that decide about safety, answered in one place: can the server's account get
there, could another user tamper with it, and is there room in memory.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.database.account import Account

__all__ = ["base_for_programs", "base_for_session", "file_sizes", "is_ours_alone"]

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - only ever a parent for mkdtemp
MEMORY_NEEDED_BYTES = 1 << 30
SESSION_PATH_LIMIT = 60
"""Bytes; leaves room for ``/harness-pg-xxxxxxxx/socket/.s.PGSQL.65535`` in a socket's 103."""
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def base_for_session(account: Account) -> Path:
    """The folder to make session folders in: in memory if it has room, short, reachable.

    Raises:
        ServerStartError: No temporary folder of this machine will do.
    """
    candidates = [MEMORY_FOLDER] if _has_room_in_memory() else []
    short = (
        base
        for base in (*candidates, *_temporary_folders())
        if len(os.fsencode(base)) <= SESSION_PATH_LIMIT
    )
    return _first_usable(short, account)


def base_for_programs(account: Account) -> Path:
    """The folder to keep copied programs in: reachable, and programs may be executed there.

    Raises:
        ServerStartError: No temporary folder of this machine will do.
    """
    executable = (
        base for base in _temporary_folders() if not os.statvfs(base).f_flag & os.ST_NOEXEC
    )
    return _first_usable(executable, account)


def is_ours_alone(folder: Path) -> bool:
    """Whether a real folder is there that belongs to us and that no other user can change."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & OTHERS_MAY_WRITE
    )


def file_sizes(folder: Path) -> dict[str, int]:
    """Relative path and size of every file, to tell a whole copy from a half or a gutted one."""
    # Thousands of files on every start: Path would take three times as long.
    paths = (
        os.path.join(parent, name)  # noqa: PTH118 - see above
        for parent, _, names in os.walk(folder)
        for name in names
    )
    return {os.path.relpath(path, folder): os.lstat(path).st_size for path in paths}


def _has_room_in_memory() -> bool:
    return MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free >= MEMORY_NEEDED_BYTES


def _temporary_folders() -> list[Path]:
    """The configured one, then the usual ones: TMPDIR may be long, or closed to others."""
    usual = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - only ever parents
    return [folder for folder in map(Path, dict.fromkeys(usual)) if folder.is_dir()]


def _first_usable(candidates: Iterable[Path], account: Account) -> Path:
    tried = []
    for base in candidates:
        is_writable = os.access(base, os.W_OK | os.X_OK)
        is_reachable = not account.is_other or _is_open_to_all(base)
        if is_writable and is_reachable and _is_safe_parent(base):
            return base
        tried.append(str(base))
    what = f"No temporary folder suits a PostgreSQL of ours; looked at {', '.join(tried)}."
    remedy = "Point TMPDIR to a short path that you can write to and that others can enter."
    raise ServerStartError(what, remedy=remedy)


def _is_safe_parent(base: Path) -> bool:
    """Whether other users cannot rename or replace what we put there."""
    status = base.stat()
    belongs_to_trusted = status.st_uid in {0, os.geteuid()}
    return belongs_to_trusted and (
        bool(status.st_mode & stat.S_ISVTX) or not status.st_mode & OTHERS_MAY_WRITE
    )


def _is_open_to_all(base: Path) -> bool:
    real = base.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (real, *real.parents))
