"""Every error that the harness raises, in one tree, so that a door can catch all of them.

A message says what happened, with numbers; where; and what to do next: in that order, under ten
lines. The tree:

    HarnessError
    ├── MisuseError                  exit 2: the user can fix it in configuration or command
    │   ├── ConfigurationError         an unknown key, a value of the wrong type
    │   ├── TargetImportError          a "module:name" that cannot be imported
    │   └── ApplicationStartError      the application's lifespan raised
    ├── UnavailableError             exit 3: the environment lacks something
    │   ├── NoPostgresError            nothing that was probed serves
    │   ├── NoDatabaseError            the server refused to make a database
    │   ├── MissingExtraError          an optional dependency is not installed
    │   ├── PortTakenError             somebody else listens where we should
    │   ├── ServerStartError           a process was started and did not become ready
    │   │   └── RefusedStartError          exit 2: it said what the user can fix
    │   ├── UnreachableTargetError     nothing answers at the given address
    │   ├── WorkerEndedError           one of the processes that serve the application ended
    │   ├── RigError                   the process behind a load probe ended, or did not answer
    │   └── NoEchoError                a log without a line of SQLAlchemy's echo
    ├── BlindRecorderError           the recorder failed: what it saw cannot be judged
    ├── LockError                    exit 3: a query lock cannot be read or written
    └── IsolationError               a test cannot be isolated as asked
        ├── SandboxConflictError       transactions that one connection cannot represent
        ├── EscapedConnectionError     a test connected to a database that is not its own
        ├── SealedDatabaseError        the server refused a connection past rollback isolation
        ├── UnfinishedTaskError        a task still ran when its test ended
        ├── SecondDriverError          a test works through two drivers, which are two connections
        ├── SyncInAsyncError           a coroutine uses what is made for `def` tests, or the reverse
        ├── UnfinishedRequestError     a request still ran when its test ended
        ├── RefusedStatementError      a statement that cannot run inside a test's transaction
        ├── TooEarlyError              a connection was asked for while no test was running
        └── UnsupportedDriverError     a driver that the sandbox has no virtual connection for
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = [
    "ApplicationStartError",
    "BlindRecorderError",
    "ConfigurationError",
    "EndedConnectionWarning",
    "EscapeWarning",
    "EscapedConnectionError",
    "ExitCode",
    "HarnessError",
    "IsolationError",
    "LockError",
    "MissingExtraError",
    "MisuseError",
    "NoDatabaseError",
    "NoEchoError",
    "NoPostgresError",
    "PortTakenError",
    "RefusedStartError",
    "RefusedStatementError",
    "RigError",
    "SandboxConflictError",
    "SealedDatabaseError",
    "SecondDriverError",
    "ServerStartError",
    "SyncInAsyncError",
    "TargetImportError",
    "TooEarlyError",
    "UnavailableError",
    "UnfinishedRequestError",
    "UnfinishedTaskError",
    "UnreachableTargetError",
    "UnsupportedDriverError",
    "WorkerEndedError",
]


class ExitCode(IntEnum):
    """Exit codes of the ``harness`` command and of its Locust scenarios."""

    CLEAN = 0
    """Nothing was found that is not allowed."""
    FINDINGS = 1
    """Findings, a regression or a failed verdict."""
    MISUSE = 2
    """An option, a setting or a target that the user can correct."""
    ENVIRONMENT = 3
    """No PostgreSQL, port taken, target unreachable, inconclusive."""
    INTERRUPTED = 130
    """Ended by Ctrl-C, as shells report it: 128 + SIGINT."""


class HarnessError(Exception):
    """Base of all errors of the harness.

    Args:
        what: What happened, with numbers, in one sentence.
        where: The place in the user's own code or configuration, if one is known.
        remedy: What to do next; may have several lines.
    """

    slug: ClassVar[str] = "harness-error"
    """Stable name of the error, to search the documentation for."""
    exit_code: ClassVar[ExitCode] = ExitCode.FINDINGS

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what, self.where, self.remedy]
        return "\n".join(line for line in lines if line) + f"\n[{self.slug}]"


class MisuseError(HarnessError):
    """Something that the user can fix in the configuration or on the command line."""

    slug = "misuse"
    exit_code = ExitCode.MISUSE


class ConfigurationError(MisuseError):
    """An unknown key, or a value of the wrong type."""

    slug = "configuration"


class TargetImportError(MisuseError):
    """A ``"module:name"`` of the configuration that cannot be imported."""

    slug = "target-import"


class ApplicationStartError(MisuseError):
    """The application's own start-up code raised."""

    slug = "application-start"


class UnavailableError(HarnessError):
    """The environment lacks something that the task needs."""

    slug = "unavailable"
    exit_code = ExitCode.ENVIRONMENT


class NoPostgresError(UnavailableError):
    """Nothing that was probed serves a PostgreSQL."""

    slug = "no-postgres"


class NoDatabaseError(UnavailableError):
    """The server refused to make, copy or drop a database."""

    slug = "no-database"


class MissingExtraError(UnavailableError):
    """An optional dependency is not installed."""

    slug = "missing-extra"


class PortTakenError(UnavailableError):
    """Somebody else listens where we should."""

    slug = "port-taken"


class ServerStartError(UnavailableError):
    """A process was started and did not become ready."""

    slug = "server-start"


class RefusedStartError(ServerStartError):
    """A process did not become ready for what the user can fix in configuration or application."""

    slug = "start-refused"
    exit_code = ExitCode.MISUSE


class UnreachableTargetError(UnavailableError):
    """Nothing answers at the given address."""

    slug = "unreachable-target"


class NoEchoError(UnavailableError):
    """A log, or a process, without a line of SQLAlchemy's echo: nothing could be counted."""

    slug = "no-echo"


class WorkerEndedError(UnavailableError):
    """One of several processes that serve the application ended by itself."""

    slug = "worker-ended"


class RigError(UnavailableError):
    """The process behind a load probe ended, or did not answer in time."""

    slug = "rig"


class BlindRecorderError(HarnessError):
    """The recorder of statements failed: it counted, but can no longer say what ran."""

    slug = "blind-recorder"


class LockError(HarnessError):
    """A query lock that cannot be read or written: nothing can be compared with it."""

    slug = "query-lock"
    exit_code = ExitCode.ENVIRONMENT


class IsolationError(HarnessError):
    """A test cannot be isolated as asked."""

    slug = "isolation"


class SandboxConflictError(IsolationError):
    """Transactions of one test that a single connection cannot represent."""

    slug = "sandbox-conflict"


class EscapedConnectionError(IsolationError):
    """A test connected to a database that was not made for it."""

    slug = "escaped-connection"


class SealedDatabaseError(IsolationError):
    """The server refused a connection that rollback isolation would not have covered."""

    slug = "sealed-database"


class UnfinishedTaskError(IsolationError):
    """A task that a test has started still ran when it ended."""

    slug = "unfinished-task"


class SecondDriverError(IsolationError):
    """A test that works through one driver connected through another."""

    slug = "second-driver"


class SyncInAsyncError(IsolationError):
    """A coroutine uses what is made for `def` tests, or a `def` test what must be awaited."""

    slug = "sync-in-async"


class UnfinishedRequestError(IsolationError):
    """A request still ran when its test ended."""

    slug = "unfinished-request"


class RefusedStatementError(IsolationError):
    """A statement that the server takes outside of transactions only."""

    slug = "refused-statement"


class TooEarlyError(IsolationError):
    """A connection to a database that nobody can start for lack of a test that runs."""

    slug = "too-early"


class UnsupportedDriverError(IsolationError):
    """A driver that the sandbox has no virtual connection for."""

    slug = "unsupported-driver"


class EscapeWarning(UserWarning):
    """What would be an error with ``escape = "error"``: something leads out of a test."""


class UnusedAllowanceWarning(UserWarning):
    """A test accepts a finding that it does not have."""


class EndedConnectionWarning(UserWarning):
    """A connection was ended because the database behind it had to be copied."""
