"""What a run does with the query lock, and which reports it writes: said once, at its start.

A module of its own, because everything that can be wrong with it is a mistake of the user's that
has to be told before the first test, not after the last.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from harness.config import load_project
from harness.errors import HarnessError
from harness.findings import Allowance
from harness.lock.file import FILE_NAME

__all__ = ["LockSettings", "Mode", "lock_settings"]

_ENDINGS = (".json", ".md", ".sarif")
_NO_CI = {"", "0", "false"}


class Mode(StrEnum):
    """What becomes of the lock."""

    CHECK = "check"
    """Compare, and write nothing."""
    CREATE = "create"
    """Compare, and add endpoints that the lock lacks."""
    UPDATE = "update"
    """Accept what was seen."""
    TIGHTEN = "tighten"
    """Accept what has become less."""
    OFF = "off"

    @property
    def is_gate(self) -> bool:
        """Whether more statements fail the run."""
        return self in {Mode.CHECK, Mode.CREATE}


@dataclass(frozen=True, slots=True)
class LockSettings:
    """What was asked for."""

    mode: Mode
    is_explicit: bool
    """Whether somebody said so, rather than the file's being there."""
    path: Path
    """Of the lock."""
    reports: tuple[Path, ...] = ()
    application: str = ""
    allow: tuple[Allowance, ...] = ()
    """Findings that the configuration accepts."""

    @property
    def watches(self) -> bool:
        """Whether statements are worth keeping until the end of the run."""
        return self.mode is not Mode.OFF or bool(self.reports)


def lock_settings(config: pytest.Config) -> LockSettings:
    """Read options, configuration and environment.

    Raises:
        pytest.UsageError: A report has an ending that no format has.
    """
    root, application = config.rootpath, ""
    allow: tuple[Allowance, ...] = ()
    with suppress(HarnessError):  # told by every test that needs the configuration
        project = load_project(config.rootpath)
        root = project.root
        application, allow = project.configuration.app or "", project.configuration.allow
    path = root / FILE_NAME
    said: str | None = config.getoption("query_lock", None)
    reports: list[str] = config.getoption("query_report", None) or []
    return LockSettings(
        mode=Mode(said) if said is not None else _mode_without_option(path),
        is_explicit=said is not None,
        path=path,
        reports=tuple(_report(name, config) for name in reports),
        application=application,
        allow=allow,
    )


def _mode_without_option(path: Path) -> Mode:
    if not path.exists():
        return Mode.OFF
    return Mode.CREATE if os.environ.get("CI", "").lower() in _NO_CI else Mode.CHECK


def _report(name: str, config: pytest.Config) -> Path:
    path = config.invocation_params.dir / name
    if path.suffix not in _ENDINGS:
        raise pytest.UsageError(
            f"--query-report={name}: the ending tells the format, and it is one of "
            f"{', '.join(_ENDINGS)}"
        )
    if path.is_dir():
        raise pytest.UsageError(f"--query-report={name} is a folder")
    return path
