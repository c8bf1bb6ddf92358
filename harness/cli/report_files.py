"""Where reports are written: a folder that must be there before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import MisuseError

__all__ = ["make_folder", "write_report"]


def make_folder(folder: Path) -> None:
    """Make it, if it is not there.

    Raises:
        MisuseError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MisuseError(f"cannot write the report to {folder}: {error.strerror}") from error


def write_report(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, each in one step: whoever opens one never sees half of it.

    Args:
        folder: That is there.
        texts: By file name.
    """
    for name, text in texts.items():
        half_written = folder / f".{name}.part"
        half_written.write_text(text, encoding="utf-8")
        half_written.replace(folder / name)
