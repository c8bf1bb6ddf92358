"""Runs pytest as a program of its own, the same way for every candidate, and takes its time.

Each candidate has the plugins that its users have, whatever else is installed beside it here: those
that pytest finds by itself are blocked unless the candidate names them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from types import MappingProxyType

__all__ = ["Failed", "PytestRun", "empty_folder", "run_pytest"]

PROJECT = Path(__file__).parent / "project"
_ROOT = Path(__file__).parents[1]
_LEAVING_SECONDS = 15.0
_TIMEOUT_SECONDS = 600.0
_SHOWN_LINES = 25
# What would change a run from outside: this machine's settings, and the measuring of coverage.
_NOT_PASSED_ON = ("PYTEST_", "PYTHON", "COVERAGE_", "COV_", "HARNESS_", "BENCHMARK_")
_SETTINGS = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
"""


class Failed(Exception):  # noqa: N818 - it is what the tests did
    """A candidate's tests did not pass, so its time means nothing."""


@dataclass(frozen=True, slots=True)
class PytestRun:
    """What is run.

    Attributes:
        file: A module of the project's folder.
        installed: Which of the plugins that pytest finds by itself may be loaded.
        modules: Plugins that stand for the project's conftest.
        settings: Lines of the ``pyproject.toml``, after those of pytest-asyncio.
        environment: On top of the machine's own.
        extra_paths: Where to import from besides the environment.
    """

    file: str
    installed: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    settings: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extra_paths: tuple[Path, ...] = ()


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for one run's settings, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="harness-benchmark-") as name:
        yield Path(name)


def run_pytest(run: PytestRun) -> float:
    """Run it to its end; returns the seconds that the whole process took.

    Raises:
        Failed: Its tests do not pass.
    """
    with empty_folder() as folder:
        asyncio_settings = (
            _SETTINGS if "asyncio" in run.installed else "[tool.pytest.ini_options]\n"
        )
        (folder / "pyproject.toml").write_text(asyncio_settings + run.settings, encoding="utf-8")
        with (folder / "output").open("w+", encoding="utf-8") as output:
            began = time.perf_counter()
            code = _finished(_command(run, folder), _environment(run), output.fileno(), folder)
            seconds = time.perf_counter() - began
            if code:
                output.seek(0)
                end = "".join(output.readlines()[-_SHOWN_LINES:])
                raise Failed(f"pytest {run.file} ended with {code}:\n{end}")
    return seconds


def _command(run: PytestRun, folder: Path) -> list[str]:
    found = _plugins(run.extra_paths)
    blocked = [f"no:{name}" for name in sorted(found - set(run.installed))]
    plugins = (word for name in (*blocked, *run.modules) for word in ("-p", name))
    # Without conftest: that of this repository would be found above the project's folder.
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    inifile = ["-c", str(folder / "pyproject.toml")]
    return [sys.executable, "-m", "pytest", *options, *inifile, *plugins, str(PROJECT / run.file)]


def _plugins(extra_paths: tuple[Path, ...]) -> set[str]:
    """What pytest finds by itself; several peers share one folder, and each is measured alone."""
    points = (
        point
        for installed in distributions(path=[*map(str, extra_paths), *sys.path])
        for point in installed.entry_points
    )
    return {point.name for point in points if point.group == "pytest11"}


def _environment(run: PytestRun) -> dict[str, str]:
    own = {key: text for key, text in os.environ.items() if not key.startswith(_NOT_PASSED_ON)}
    paths = os.pathsep.join(map(str, (_ROOT, *run.extra_paths)))
    return {**own, "PYTHONPATH": paths, **run.environment}


def _finished(command: list[str], environment: Mapping[str, str], output: int, folder: Path) -> int:
    """The exit code. Interrupted ourselves, we interrupt it, so that it gives back what it has."""
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        return child.wait(_TIMEOUT_SECONDS)
    except BaseException:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(_LEAVING_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
