"""Starts everything for a test that asked for no fixture of ours, when its application connects.

A module of its own because it needs what only hooks know: which test, or which fixture of one, is
running at that moment. On its behalf the fixture `harness_sandbox` is asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.database.rollback import Sandbox
from harness.database.rollback.early_engines import EarlyEngines
from harness.errors import HarnessError, TooEarlyError
from harness.pytest_plugin.stand_ins import are_in_place
from harness.pytest_plugin.starlette_clients import ClientsOnOneLoop

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["EarlyStart", "early_start_of"]

_START = pytest.StashKey["EarlyStart"]()


class EarlyStart:
    """Knows on whose behalf a connection is made: of the innermost fixture or test that runs.

    Args:
        root: The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self.engines = EarlyEngines(self._isolation, root)
        self.clients = ClientsOnOneLoop(self._portal)
        self._asking: list[pytest.FixtureRequest] = []

    @contextmanager
    def on_behalf_of(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """It runs inside the block."""
        self._asking.append(request)
        try:
            yield
        finally:
            self._asking.remove(request)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """A fixture is one that runs, also one that is wider than a test."""
        self.clients.take()
        with self.on_behalf_of(request):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """A fixture may have loaded the application."""
        self.clients.take()

    def _isolation(self) -> Sandbox:
        if not self._asking:
            raise TooEarlyError(
                "the application connected to its database while neither a test nor a fixture of "
                "one was running",
                remedy="do it in the application's lifespan, or in a fixture that takes 'app'",
            )
        try:
            sandbox: Sandbox = self._asking[-1].getfixturevalue("harness_sandbox")
        except pytest.fail.Exception as failure:
            # Not the outcome of a test: the application may be in the middle of anything.
            if isinstance(failure.__context__, HarnessError):
                raise failure.__context__ from None
            raise
        return sandbox

    def _portal(self) -> BlockingPortal | None:
        if not self._asking:
            return None
        portal: BlockingPortal = self._asking[-1].getfixturevalue("harness_own_portal")
        return portal


def early_start_of(config: pytest.Config) -> EarlyStart:
    """The one of this run."""
    return config.stash[_START]


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Listen, where engines may have been made too early."""
    start = config.stash[_START] = EarlyStart(config.rootpath)
    config.pluginmanager.register(start, "harness_early_start")
    config.add_cleanup(start.clients.give_back)
    if are_in_place(config):
        listening = ExitStack()
        listening.enter_context(start.engines.installed())
        config.add_cleanup(listening.close)
