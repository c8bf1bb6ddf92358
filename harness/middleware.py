"""The probe: watches a running application from inside and tells what it counted.

A pure ASGI application around yours, so it works as ``app.add_middleware(Probe)``, as
``Probe(app)`` in front of any ASGI server, and under ``harness serve`` without a change of code.
"""

from __future__ import annotations

import hmac
import json
import os
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path

from harness.capture.meter import Meter
from harness.capture.requests import (
    ActiveRequest,
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
)
from harness.capture.server_timing import with_server_timing
from harness.capture.source import SourceMap
from harness.capture.tracking import TRACKED, RequestTracker, TrackedApp

__all__ = ["STATUS_PATH", "Probe"]

STATUS_PATH = "/__harness__/status"


class Probe(TrackedApp):
    """Counts requests, statements and checkouts, and answers `STATUS_PATH` with the counts.

    The status answers to ``Authorization: Bearer <token>`` only, and is not there (404) for
    everybody else. It never touches the database and never shows a bind value. Inside of another
    one it does nothing.

    Args:
        app: The application to watch.
        token: Opens the status; default: the environment variable ``HARNESS_TOKEN``. Without a
            token nobody can read the status.
        root: The project's folder, to tell its code from libraries; default: the current one.
        server_timing: Whether responses tell the database's share in a ``Server-Timing`` header.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        root: Path | None = None,
        server_timing: bool = True,
    ) -> None:
        tracker = RequestTracker()
        super().__init__(app, tracker)
        self._token = token or os.environ.get("HARNESS_TOKEN", "")
        self._tells_timing = server_timing
        self._meter = Meter(tracker, SourceMap(root or Path.cwd()))
        self._counting: AbstractContextManager[None] | None = None

    def instead(self, scope: Scope) -> ASGIApp | None:
        """The status, for whoever may read it; the application itself where another one counts."""
        is_request = scope["type"] == "http"
        if is_request and scope["path"].endswith(STATUS_PATH) and _asks_for_status(scope):
            return self._tell if self._may_read(scope) else self._app
        if TRACKED in scope:
            return self._app
        watched = self._meter.loop.watched
        if watched is None or watched.is_closed():
            self._listen()
        return None

    def starting(self, request: ActiveRequest, start: Message) -> Message:
        """The start of a response, as the client gets it."""
        try:
            self._meter.on_start(request)
            if self._tells_timing:
                return with_server_timing(request.usage, start)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self._meter.guard.remember(error)
        return start

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Listen for as long as the application lives."""
        try:
            await super().live(scope, receive, send)
        finally:
            self._stop()

    def _listen(self) -> None:
        """Listen from the first event on: an application without a lifespan has no other."""
        if self._counting is None:
            self._counting = self._meter.listening()
            self._counting.__enter__()
        self._meter.loop.enter()

    def _stop(self) -> None:
        if self._counting is not None:
            self._counting.__exit__(None, None, None)
            self._counting = None

    def _may_read(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return bool(self._token) and hmac.compare_digest(given, f"Bearer {self._token}".encode())

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        await _answer(json.dumps(self._meter.status()).encode(), send)


def _asks_for_status(scope: Scope) -> bool:
    # A server that is told a root_path puts it in front of every path.
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) == STATUS_PATH


async def _answer(body: bytes, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send({"type": "http.response.body", "body": body})
