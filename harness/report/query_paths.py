"""Paths as a repository knows them, for reports that a code host reads.

Apart from the renderers because a project may be one folder of a repository: its own paths are
relative to that folder, what GitHub takes is relative to the repository.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

from harness.findings import SourceLine

__all__ = ["path_in_repository", "project_folder"]


def project_folder(root: Path) -> str:
    """Where a project lies in its repository: ``services/shop``; empty where it is all of it.

    Args:
        root: Folder of the project.
    """
    root = root.resolve()
    for folder in (root, *root.parents):
        if (folder / ".git").exists():  # a folder, or a file in a linked work tree
            inside = root.relative_to(folder).as_posix()
            return "" if inside == "." else inside
    return ""


def path_in_repository(site: SourceLine | None, folder: str) -> str | None:
    """The path of a line, relative to the repository; None where it is not inside.

    Args:
        site: A line, relative to the project's root.
        folder: Where that lies in the repository.
    """
    if site is None or not site.path:
        return None
    own = site.path.replace("\\", "/")
    path = posixpath.normpath(posixpath.join(folder, own))
    has_drive = own[1:2] == ":"
    return None if has_drive or path.startswith("/") or path.split("/")[0] == ".." else path
