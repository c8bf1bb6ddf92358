"""Puts every test into the sandbox, from the moment there is one.

A module of its own because neither pytest's list of a test's fixtures nor their order tells whether
a test will use the database: `request.getfixturevalue` asks in the middle of it. Until something
does, there is no server, no database and no sandbox, and a test pays nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.database.clones import Clones, TestDatabase
from harness.database.rollback import Sandbox
from harness.database.rollback.conflicts import stopped_in
from harness.errors import HarnessError

__all__ = ["Isolation", "Mode", "Wish"]

Mode = Literal["rollback", "clone", "empty"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of a test before it runs."""

    mode: Mode | None
    """As its marker says; None for the configured one."""
    is_guarded: bool
    """Whether it is known to use the database, so that a connection to another is a mistake."""
    starting: Callable[[], Awaitable[None]] | None
    """Starts the application, for a test that will."""


@dataclass(slots=True, eq=False)
class Isolation:
    """The isolation of one test after the other."""

    _sandbox: Sandbox | None = None
    _clones: Clones | None = None
    _default: Mode = "rollback"
    _wish: Wish | None = None
    _test: ExitStack | None = None
    _own: TestDatabase | None = None

    @contextmanager
    def one_test(self, wish: Wish) -> Iterator[None]:
        """Around each test: undo, at the end of the block, what it did to the database."""
        with ExitStack() as test:
            self._test, self._wish = test, wish
            self._enter(is_guarded=wish.is_guarded)
            try:
                yield
            finally:
                self._test = self._wish = None
        self._own = None

    @contextmanager
    def within(self, sandbox: Sandbox, clones: Clones, *, default: Mode) -> Iterator[None]:
        """Use a sandbox inside the block, for the test that is running and for all later ones.

        Args:
            sandbox: Where the connections of tests are led from.
            clones: Where the databases of tests come from that have one for themselves.
            default: The mode of tests without a marker.
        """
        self._sandbox, self._clones, self._default = sandbox, clones, default
        self._enter(is_guarded=True)
        try:
            yield
        finally:
            self._sandbox = self._clones = None

    @property
    def own_database(self) -> TestDatabase | None:
        """What the running test has for itself; None in rollback mode."""
        return self._own

    def swallowed_conflicts(self, *, by_tests: Callable[[Path], bool]) -> list[HarnessError]:
        """The conflicts of the last test that the application caught and said nothing of.

        Args:
            by_tests: Whether code of this file may catch what it expects.
        """
        raised = self._sandbox.take_conflicts() if self._sandbox is not None else []
        caught = [(conflict, stopped_in(conflict)) for conflict in raised]
        return [found for found, file in caught if file is not None and not by_tests(file)]

    def keep_own(self, *, test: str) -> None:
        """Keep the running test's database."""
        if self._clones is not None and self._own is not None:
            self._clones.keep(self._own, test=test)

    def _enter(self, *, is_guarded: bool) -> None:
        sandbox, clones, test, wish = self._sandbox, self._clones, self._test, self._wish
        if sandbox is None or clones is None or test is None or wish is None:
            return
        mode = wish.mode or self._default
        if mode != "rollback":
            self._own = test.enter_context(clones.one_test(mode, prepare=wish.starting))
        test.enter_context(sandbox.one_test(is_guarded=is_guarded, own=self._own))
