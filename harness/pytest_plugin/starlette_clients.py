"""Starlette's `TestClient` without a `with` block runs all requests of a test on one event loop.

By itself it makes a loop for each request. An asyncio driver's connections belong to loops, so what
one request has written, and nobody has committed for real, would be gone before the next. The
attribute that says where a client runs is Starlette's own, and public.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["ClientsOnOneLoop"]


class ClientsOnOneLoop:
    """What a client finds that has no loop of its own: a descriptor in place of its `None`.

    Args:
        portal: To the loop; None where none can be had.
    """

    def __init__(self, portal: Callable[[], BlockingPortal | None]) -> None:
        self._portal = portal
        self._asking = threading.Lock()
        self._class: Any = None

    def __get__(self, client: Any, owner: type) -> BlockingPortal | None:  # noqa: ANN401 - Starlette's
        if client is None or client.async_backend != {"backend": "asyncio", "backend_options": {}}:
            return None
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            return None  # a coroutine, whose own loop has the test's connections
        with self._asking:
            return self._portal()

    def take(self) -> None:
        """Be what clients find, as soon as an application is loaded that they could call."""
        if self._class is None and "starlette" in sys.modules:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # httpx2 is missing: said where it is imported
                from starlette.testclient import TestClient  # noqa: PLC0415 - if it is used
            self._class = TestClient
            self._class.portal = self

    def give_back(self) -> None:
        """Let Starlette do as it does."""
        if self._class is not None:
            self._class.portal = None
            self._class = None
