"""Puts every test into the sandbox, from the moment there is one.

A module of its own because neither pytest's list of a test's fixtures nor their order tells whether
a test will use the database: `request.getfixturevalue` asks in the middle of it. Until something
does, there is no server, no database and no sandbox, and a test pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from harness.database.rollback import Sandbox

__all__ = ["Isolation"]


@dataclass(slots=True, eq=False)
class Isolation:
    """The isolation of one test after the other."""

    _sandbox: Sandbox | None = None
    _test: ExitStack | None = None

    @contextmanager
    def one_test(self, *, is_guarded: bool) -> Iterator[None]:
        """Around each test: undo, at the end of the block, what it did to the database.

        Args:
            is_guarded: Whether the test is known to use the database, so that a connection to
                another one is a mistake.
        """
        with ExitStack() as test:
            self._test = test
            self._enter(is_guarded=is_guarded)
            try:
                yield
            finally:
                self._test = None

    @contextmanager
    def within(self, sandbox: Sandbox) -> Iterator[None]:
        """Use a sandbox inside the block, for the test that is running and for all later ones."""
        self._sandbox = sandbox
        self._enter(is_guarded=True)
        try:
            yield
        finally:
            self._sandbox = None

    def _enter(self, *, is_guarded: bool) -> None:
        if self._sandbox is not None and self._test is not None:
            self._test.enter_context(self._sandbox.one_test(is_guarded=is_guarded))
