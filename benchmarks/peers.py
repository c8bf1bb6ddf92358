"""The peers that come from PyPI: kept apart from this project's environment.

They are installed, without what they need in turn (it is here already), into a folder of the user's
cache, which only their own runs import from. Versions stand in ``pyproject.toml``.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

__all__ = ["installed_peers"]

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_GROUP = "benchmarks"


class NotInstalledError(Exception):
    """pip could not install the peers."""


def installed_peers() -> Path:
    """The folder to import the peers from.

    Raises:
        NotInstalledError: Neither installed before, nor to be had now.
    """
    wanted = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["dependency-groups"][_GROUP]
    key = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:12]
    cache = user_cache_path("fastapi-sqlalchemy-harness") / "benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"peers-{key}"
    with FileLock(cache / "lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(wanted, folder)
            (folder / "complete").touch()
    return folder


def _install(wanted: list[str], folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run(
        [*pip, "--no-deps", "--target", str(folder), *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotInstalledError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
