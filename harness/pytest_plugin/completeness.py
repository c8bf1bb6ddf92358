"""Whether a run was a complete one: only then may what it did not show be forgotten.

Every gap is told in words, because whoever waits for the lock to be tightened has to know what
kept it from being.
"""

from __future__ import annotations

import glob
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from harness.report.quantities import counted

__all__ = ["Completeness"]

_OUTPUT = "harness_dropped"
_SELECTIONS = {
    "-k": "keyword",
    "-m": "markexpr",
    "--deselect": "deselect",
    "--stepwise": "stepwise",
}


class WorkerNode(Protocol):
    """The part of xdist's controller of a worker that is used here."""

    workeroutput: dict[str, object]


class Completeness:
    """Watches what is left out.

    Args:
        config: Of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._dropped = 0
        self._modules = {"failed": 0, "skipped": 0}
        self._crashes = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Count what is taken out by whatever means, told to pytest or not."""
        before = set(items)
        result = yield
        self._dropped = len(before.difference(items))
        return result

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that could not be looked into."""
        if report.outcome != "passed":
            self._modules[report.outcome] += 1

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller: it collects nothing itself."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = self._dropped

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerNode, error: object) -> None:
        """Hear a worker; all of them collect the same."""
        if error:
            self._crashes += 1
            return
        dropped = getattr(node, "workeroutput", {}).get(_OUTPUT, 0)
        if isinstance(dropped, int):
            self._dropped = max(self._dropped, dropped)

    def gaps(self) -> Iterator[str]:
        """What was left out: ``3 tests were deselected by -k``."""
        yield from self._selected()
        yield from self._not_collected()
        if self._crashes:
            yield f"{counted(self._crashes, 'worker')} of pytest-xdist crashed"

    def _selected(self) -> Iterator[str]:
        option = self._config.option
        if self._dropped:
            given = [name for name, key in _SELECTIONS.items() if getattr(option, key, None)]
            by = f" by {', '.join(given)}" if given else ""
            were = "was" if self._dropped == 1 else "were"
            yield f"{counted(self._dropped, 'test')} {were} deselected{by}"
        if getattr(option, "lf", False):
            yield "--last-failed was given"  # it leaves out whole files, and tells nobody
        ignored = [name for name in option.ignore or () if self._path(name).exists()]
        yield from (f"{name} was ignored" for name in (*ignored, *(option.ignore_glob or ())))

    def _not_collected(self) -> Iterator[str]:
        if self._modules["failed"]:
            yield f"{counted(self._modules['failed'], 'module')} could not be collected"
        if self._modules["skipped"]:
            was = "was" if self._modules["skipped"] == 1 else "were"
            yield f"{counted(self._modules['skipped'], 'module')} {was} skipped"
        if not self._covers_all():
            yield f"only {' '.join(map(self._named, self._config.args))} was run"

    def _covers_all(self) -> bool:
        """Whether the arguments, or the folder that pytest was started in, hold all tests."""
        config = self._config
        if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            return True
        patterns: list[str] = config.getini("testpaths")
        root = config.rootpath  # the patterns may be absolute, which `Path.glob` refuses
        found = [name for each in patterns for name in glob.glob(each, root_dir=root)]  # noqa: PTH207
        wanted = [root / name for name in found] or [root]
        given = [self._path(argument) for argument in config.args]
        return all(any(path.is_relative_to(arg) for arg in given) for path in wanted)

    def _path(self, argument: str) -> Path:
        return (self._config.invocation_params.dir / argument).resolve()

    def _named(self, argument: str) -> str:
        path = Path(argument)
        root = self._config.rootpath
        return str(path.relative_to(root)) if path.is_relative_to(root) else argument
