"""One request on a connection of its own, whose answer its user reads as it likes, or does not.

Locust's own clients read an answer whole, as fast as it comes. Users that leave, or read slowly,
need the socket; they count their requests here, in the same way as all others.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from locust.exception import CatchResponseError

from harness.load.users import HarnessUser

__all__ = ["Head", "exchange", "tell"]

FAILURES = (OSError, HTTPException)
"""What can go wrong on the way."""
_CLIENT_ERROR = 400


@dataclass(frozen=True, slots=True)
class Head:
    """Of an answer, what is counted."""

    status_code: int


@contextmanager
def exchange(user: HarnessUser, path: str) -> Iterator[HTTPConnection]:
    """Send a GET for the block, at whose end the connection is closed, read or not.

    Args:
        user: Whose host and limits hold.
        path: With the query, if there is one.

    Raises:
        OSError: There is no connection.
    """
    target = urlsplit(user.host or "")
    address = (target.hostname or "", target.port)
    if target.scheme == "https":
        # As Locust's FastHttpUser: the target is the user's own, and often has no real certificate.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - see above
        connection: HTTPConnection = HTTPSConnection(
            *address, timeout=user.network_timeout, context=context
        )
    else:
        connection = HTTPConnection(*address, timeout=user.network_timeout)
    try:
        connection.connect()
        connection.request(
            "GET", target.path.rstrip("/") + path, headers=user.default_headers or {}
        )
        yield connection
    finally:
        connection.close()


def tell(
    user: HarnessUser,
    name: str,
    *,
    began_seconds: float,
    head: Head | None = None,
    error: Exception | None = None,
) -> None:
    """Count a request, for Locust and for the harness.

    Args:
        user: Who sent it.
        name: ``GET /users/{user_id}``.
        began_seconds: When, on `time.monotonic`.
        head: What was answered; None for nothing.
        error: What went wrong, if anything.
    """
    if head is not None and error is None and head.status_code >= _CLIENT_ERROR:
        error = CatchResponseError(f"status code {head.status_code}")
    user.environment.events.request.fire(
        request_type=name.partition(" ")[0],
        name=name,
        response_time=(time.monotonic() - began_seconds) * 1000,
        response_length=0,
        response=head,
        exception=error,
        context=user.context(),
    )
