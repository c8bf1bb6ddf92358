"""The command as users start it: a process with its output and exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.load.conftest import server

__all__ = ["RunHarness", "run_harness", "server"]

RunHarness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_harness(pytestconfig: pytest.Config) -> RunHarness:
    """Runs ``python -m harness`` with further variables, from any folder."""

    def run(
        *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=folder or pytestconfig.rootpath,
            env={**os.environ, "COLUMNS": "80", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
