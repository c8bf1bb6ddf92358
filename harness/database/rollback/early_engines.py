"""Engines that were made before there was a database are led to it as soon as they connect.

Their URLs hold the address that stands in for it. The first of them that connects in a test has
everything started: server, tables, isolation. A listener of its own, before the sandbox's, because
the sandbox is what it starts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from harness.database.rollback.listening import Listener, Listeners
from harness.database.rollback.sandbox import Sandbox
from harness.database.stand_in import is_stand_in, led
from harness.errors import TooEarlyError

__all__ = ["EarlyEngines"]

_set_up_on: ContextVar[URL | None] = ContextVar("set_up_on", default=None)


@dataclass(slots=True, eq=False)
class EarlyEngines:
    """Leads connections to the stand-in to the database of the tests.

    Args:
        start: Starts everything for the test that is running; called in a thread of its own.
        root: The project's folder.
    """

    start: Callable[[], Sandbox]
    root: Path
    _sandbox: Sandbox | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _of_set_up: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """Pooled connections that write for real, on loops that have ended, and that no sandbox saw."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch all connections of the process."""
        connect = Listener(Engine, "do_connect", self._do_connect)
        with Listeners((connect, Listener(Pool, "checkout", self._on_checkout))).installed():
            yield

    @contextmanager
    def set_up_on(self, url: URL) -> Iterator[None]:
        """Lead what the block connects to a database that is just being made: tables and rows.

        Its connections are used inside the block only.
        """
        token = _set_up_on.set(url)
        try:
            yield
        finally:
            _set_up_on.reset(token)

    @contextmanager
    def isolated_by(self, sandbox: Sandbox) -> Iterator[None]:
        """Lead all connections to a sandbox's database inside the block."""
        self._sandbox = sandbox
        try:
            yield
        finally:
            self._sandbox = None

    def _do_connect(
        self,
        dialect: Dialect,
        entry: ConnectionPoolEntry,
        arguments: list[Any],
        options: dict[str, Any],
    ) -> DBAPIConnection | None:
        set_up_on, sandbox = _set_up_on.get(), self._sandbox
        if set_up_on is not None and entry is not None:
            self._of_set_up.add(entry)
        if not is_stand_in(arguments, options):
            return None
        known = set_up_on or (sandbox.url if sandbox is not None else None)
        if known is not None:
            _lead(arguments, options, known)
            return None
        # Its listener is added while this one runs: too late for this connection.
        sandbox = self._started()
        _lead(arguments, options, sandbox.url)
        made = sandbox.connect(dialect, entry, arguments, options)
        return dialect.connect(*arguments, **options) if made is None else made

    def _on_checkout(self, connection: object, entry: ConnectionPoolEntry, proxy: object) -> None:  # noqa: ARG002
        if entry in self._of_set_up and _set_up_on.get() is None:
            self._of_set_up.discard(entry)
            raise DisconnectionError("the set-up that this connection belongs to is over")

    def _started(self) -> Sandbox:
        self._refuse_in_import()
        with self._starting:
            if self._sandbox is None:
                # The application's event loop stands still meanwhile, and migrations need one.
                with ThreadPoolExecutor(1, thread_name_prefix="harness start") as thread:
                    return thread.submit(self.start).result()
            return self._sandbox

    def _refuse_in_import(self) -> None:
        """The thread that starts would wait for ever for the module that waits for it."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            # A private name of importlib; without it the two would wait.
            is_new = getattr(getattr(module, "__spec__", None), "_initializing", False)
            if is_new and file and Path(file).is_relative_to(self.root):
                raise TooEarlyError(
                    f"the application connected to its database while {name!r} was being imported",
                    where=f"in {Path(file).relative_to(self.root)}",
                    remedy="make tables by 'metadata' or 'alembic' in [tool.harness], and do the "
                    "rest in the application's lifespan",
                )


def _lead(arguments: list[Any], options: dict[str, Any], url: URL) -> None:
    """In place, as the event has it: other listeners see where the connection goes."""
    arguments[:], changed = led(arguments, options, url)
    options.clear()
    options.update(changed)
