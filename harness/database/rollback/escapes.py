"""What leads out of a test's database: who keeps strangers out, and what becomes of an escape.

A module of its own because it is a policy, and the same for all ways out: an engine on another
database, a driver past SQLAlchemy, another program.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from harness.capture.source import SourceMap
from harness.errors import EscapedConnectionError, EscapeWarning, HarnessError
from harness.findings import SourceLine

__all__ = ["Escapes", "Policy", "Unwatched", "Watch"]

Policy = Literal["error", "warn"]


class Watch(Protocol):
    """Keeps strangers out of a database while tests are rolled back, or notices them."""

    @property
    def is_shut(self) -> bool:
        """Whether nobody can connect at this moment."""
        ...

    def begin_test(self, connects: int) -> None:
        """From now on nobody may connect but us.

        Args:
            connects: How many connections of our own have been opened so far.
        """
        ...

    def end_test(self, connects: int, ours: Callable[[], set[int]]) -> str | None:
        """Who has come in all the same, in words; None if nobody has.

        Args:
            connects: How many connections of our own have been opened so far.
            ours: The server's process ids of those that are open.
        """
        ...

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """Around a connection of our own."""
        ...

    @contextmanager
    def aside(self, connects: Callable[[], int]) -> Iterator[None]:
        """While whatever connects belongs to the base line, in the middle of a test."""
        ...

    def step_aside(self) -> None:
        """Until a test begins, whatever connects belongs to the base line."""
        ...


class Unwatched:
    """A database that nobody watches: one that cannot be sealed, and does not count sessions."""

    @property
    def is_shut(self) -> bool:
        """Never."""
        return False

    def begin_test(self, connects: int) -> None:
        """Nothing."""

    def end_test(self, connects: int, ours: Callable[[], set[int]]) -> str | None:  # noqa: ARG002 - not asked
        """Nobody knows."""
        return None

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """Anybody may come in."""
        yield

    @contextmanager
    def aside(self, connects: Callable[[], int]) -> Iterator[None]:  # noqa: ARG002 - not asked
        """As always."""
        yield

    def step_aside(self) -> None:
        """Nothing."""


@dataclass(slots=True, eq=False)
class Escapes:
    """Judges what leads out of a test's database.

    Args:
        policy: Whether an escape is an error, or a warning that names the line.
        watch: Keeps strangers out of the database.
        source: Tells the user's lines from others, for warnings.
    """

    policy: Policy = "error"
    watch: Watch = field(default_factory=Unwatched)
    source: SourceMap | None = None
    _found: list[EscapedConnectionError] = field(default_factory=list)

    def connected_elsewhere(self, place: str, *, database: str) -> None:
        """An engine is about to connect to a database where what a test writes would stay.

        Raises:
            EscapedConnectionError: Unless the policy is to warn.
        """
        error = EscapedConnectionError(
            f"a test connected to {place}, not to {database!r}, which is made for the tests",
            remedy="name the variable that the application reads its URL from in "
            '[tool.harness.env] (DATABASE_URL = "{async_url}"); an address that is written in the '
            "code, or set by a conftest, cannot be led to the tests' database",
        )
        if self.policy == "error":
            raise error
        self._warn(error)

    def end_test(self, connects: int, ours: Callable[[], set[int]]) -> None:
        """Look who has come into the database past us; see `Watch.end_test`."""
        seen = self.watch.end_test(connects, ours)
        if seen is None:
            return
        error = EscapedConnectionError(
            seen,
            remedy="what it wrote has stayed there, for all later tests: use the fixtures' "
            "sessions, or give the test a database of its own, and the program its URL: "
            "@pytest.mark.database(\"clone\") and the fixture 'own_database_url'",
        )
        if self.policy == "error":
            self._found.append(error)
        else:
            warnings.warn(str(error), EscapeWarning, stacklevel=2)

    def take_found(self) -> list[EscapedConnectionError]:
        """The escapes that were noticed when it was too late to raise them at their line."""
        found, self._found = self._found, []
        return found

    def _warn(self, error: HarnessError) -> None:
        site = self.source.stack().site if self.source is not None else None
        if site is None or self.source is None:
            warnings.warn(str(error), EscapeWarning, stacklevel=3)
            return
        error.where = _told(site)
        file = str(self.source.root / site.path)
        # Drivers are called in greenlets, where no number of frames leads to the user's line.
        warnings.warn_explicit(str(error), EscapeWarning, filename=file, lineno=site.line)


def _told(site: SourceLine) -> str:
    return f"at {site}  {site.code}"
