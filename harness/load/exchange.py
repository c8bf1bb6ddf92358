"""One request on a connection of its own, whose answer its user reads as it likes, or does not.

Locust's own clients read an answer whole, as fast as it comes. Users that leave, or read slowly,
need the socket; they count their requests here, in the same way as all others.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from locust.exception import CatchResponseError

from harness.load.routes import without_method
from harness.load.safety import address_of, unverified
from harness.load.users import HarnessUser

__all__ = ["Head", "SocketOption", "exchange", "tell"]

SocketOption = tuple[int, int, int]
"""As `socket.setsockopt` takes them: level, name, value."""
FAILURES = (OSError, HTTPException)
"""What can go wrong on the way."""
_CLIENT_ERROR = 400


@dataclass(frozen=True, slots=True)
class Head:
    """Of an answer, what is counted."""

    status_code: int


@contextmanager
def exchange(
    user: HarnessUser, path: str, *, options: Sequence[SocketOption] = ()
) -> Iterator[HTTPConnection]:
    """Send a GET for the block, at whose end the connection is closed, read or not.

    Args:
        user: Whose host and limits hold.
        path: With the query, if there is one.
        options: Of the socket, set before it is connected; the kernel may refuse them.

    Raises:
        OSError: There is no connection.
    """
    target = urlsplit(user.host or "")
    is_secure = target.scheme == "https"
    # The port is named, or `HTTPConnection` would take the end of an IPv6 address for one. So is
    # the context, or each request would load the machine's certificates: 20 to 43 ms, in which no
    # other user runs [measured]. The socket is wrapped by hand.
    where = address_of(user.host or "")
    connection = (
        HTTPSConnection(*where, context=unverified()) if is_secure else HTTPConnection(*where)
    )
    try:
        connection.sock = _connected(connection, user.network_timeout, options)
        if is_secure:
            connection.sock = unverified().wrap_socket(
                connection.sock, server_hostname=connection.host
            )
        connection.request(
            "GET", target.path.rstrip("/") + path, headers=user.default_headers or {}
        )
        yield connection
    finally:
        connection.close()


def _connected(
    target: HTTPConnection, timeout_seconds: float, options: Sequence[SocketOption]
) -> socket.socket:
    """As `socket.create_connection`, which knows no options to set before it connects."""
    failure = OSError(f"{target.host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        target.host, target.port, type=socket.SOCK_STREAM
    ):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(timeout_seconds)
            for option in options:
                with suppress(OSError):  # not every kernel takes each of them
                    opened.setsockopt(*option)
            opened.connect(address)
        except BaseException as error:
            opened.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return opened
    raise failure


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
        name=without_method(name),
        response_time=(time.monotonic() - began_seconds) * 1000,
        response_length=0,
        response=head,
        exception=error,
        context=user.context(),
    )
