"""Puts every test into the sandbox, from the moment there is one.

A module of its own because neither pytest's list of a test's fixtures nor their order tells whether
a test will use the database: `request.getfixturevalue` asks in the middle of it. Until something
does, there is no server, no database and no sandbox, and a test pays nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from harness.database.copies import Kind, TestDatabase
from harness.database.rollback import Sandbox
from harness.database.rollback.conflicts import stopped_in
from harness.database.rollback.scopes import TestBody
from harness.errors import EscapedConnectionError, HarnessError

__all__ = ["Databases", "Isolation", "Mode", "Wish"]

Mode = Literal["rollback", "clone", "empty"]


class Databases(Protocol):
    """Where tests get databases of their own."""

    has_rollback_mode: ClassVar[bool]
    """Whether there is another way than a database for each test."""

    def one_test(
        self, kind: Kind, *, prepare: Callable[[], Awaitable[None]] | None = None
    ) -> AbstractContextManager[TestDatabase]:
        """A database for the block; made when somebody asks for its name."""
        ...

    def keep(self, database: TestDatabase, *, test: str) -> str:
        """Keep a test's database beyond the run.

        Returns:
            What it is called there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of a test before it runs."""

    mode: Mode | None
    """As its marker says; None for the configured one."""
    is_guarded: bool
    """Whether it is known to use the database, so that a connection to another is a mistake."""
    starting: Callable[[], Awaitable[None]] | None
    """Starts the application, for a test that will."""
    starting_apart: Callable[[], None] | None = None
    """Does so from a thread that blocks."""
    body: TestBody | None = None
    """By what it is known among the tasks and threads that it starts."""


@dataclass(slots=True, eq=False)
class Isolation:
    """The isolation of one test after the other."""

    _sandbox: Sandbox | None = None
    _clones: Databases | None = None
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
    def within(self, sandbox: Sandbox, clones: Databases, *, default: Mode) -> Iterator[None]:
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
    def running(self) -> object | None:
        """Something that stands for the running test, and for no other."""
        return self._test

    def at_end(self, call: Callable[[], None]) -> bool:
        """Call something at the end of the running test, before what it did is undone.

        Returns:
            False if no test is running.
        """
        if self._test is not None:
            self._test.callback(call)
        return self._test is not None

    def uses_database(self) -> bool:
        """Whether the running test uses the database, or asks for what does."""
        return self._sandbox is not None and self._sandbox.is_guarded

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

    def noticed_escapes(self) -> list[EscapedConnectionError]:
        """The escapes of the last test that nobody could stop at their own line."""
        return self._sandbox.escapes.take_found() if self._sandbox is not None else []

    def keep_own(self, *, test: str) -> str:
        """Keep the running test's database.

        Returns:
            What it is called; nothing where it has none.
        """
        if self._clones is None or self._own is None:
            return ""
        return self._clones.keep(self._own, test=test)

    def _enter(self, *, is_guarded: bool) -> None:
        sandbox, clones, test, wish = self._sandbox, self._clones, self._test, self._wish
        if sandbox is None or clones is None or test is None or wish is None:
            return
        mode = wish.mode or self._default
        if mode == "rollback" and not clones.has_rollback_mode:
            mode = "clone"
        if mode != "rollback":
            self._own = test.enter_context(clones.one_test(mode, prepare=wish.starting))
            self._own.prepare_apart = wish.starting_apart
        test.enter_context(sandbox.one_test(is_guarded=is_guarded, own=self._own, body=wish.body))
