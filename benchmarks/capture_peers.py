"""An environment with the peers of `capture`: they bring dependencies that ours must not have.

The same SQLAlchemy and asyncpg as here, so that the figures belong together.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from benchmarks.peers import NotInstalledError

__all__ = ["environment_with_peers"]

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_GROUP = "benchmarks-capture"
_OURS = ("sqlalchemy", "asyncpg", "greenlet")


def environment_with_peers() -> Path:
    """The Python of the environment; made when it is first asked for.

    Raises:
        NotInstalledError: Neither made before, nor to be had now.
    """
    peers = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["dependency-groups"][_GROUP]
    wanted = [*peers, *(f"{name}=={version(name)}" for name in _OURS)]
    key = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:12]
    cache = user_cache_path("fastapi-sqlalchemy-harness") / "benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"capture-{key}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with FileLock(cache / "lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=False)
            _install(wanted, python)
            (folder / "complete").touch()
    return python


def _install(wanted: list[str], python: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    done = subprocess.run(
        [*pip, "install", "-q", *wanted], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalledError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
