"""One request on a connection of its own, whose answer its user reads as it likes, or does not.

Locust's own clients read an answer whole, as fast as it comes. Users that leave, or read slowly,
need the socket; they count their requests here, in the same way as all others.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from locust.exception import CatchResponseError

from harness.load.routes import without_method
from harness.load.safety import unverified
from harness.load.sending import connection_to, target_of
from harness.load.users import HarnessUser

__all__ = ["FAILURES", "Head", "exchange", "tell"]

_SocketOption = tuple[int, int, int]
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
    user: HarnessUser, path: str, *, options: Sequence[_SocketOption] = ()
) -> Iterator[HTTPConnection]:
    """Send a GET for the block, at whose end the connection is closed, read or not.

    Args:
        user: Whose host and limits hold.
        path: With the query, if there is one.
        options: Of the socket, set before it is connected; the kernel may refuse them.

    Raises:
        OSError: There is no connection.
    """
    url = user.host or ""
    connection = connection_to(url, wait_seconds=user.network_timeout)
    try:
        connection.sock = _connected(connection, user.network_timeout, options)
        if isinstance(connection, HTTPSConnection):
            connection.sock = unverified().wrap_socket(
                connection.sock, server_hostname=connection.host
            )
        connection.request("GET", target_of(url, path), headers=user.default_headers or {})
        yield connection
    finally:
        connection.close()


def _connected(
    target: HTTPConnection, timeout_seconds: float, options: Sequence[_SocketOption]
) -> socket.socket:
    """As `socket.create_connection`, which knows no options to set before it connects."""
    failure = OSError(f"{target.host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        target.host, target.port, type=socket.SOCK_STREAM
    ):
        try:
            with ExitStack() as given_up:
                opened = given_up.enter_context(socket.socket(family, kind, protocol))
                opened.settimeout(timeout_seconds)
                for option in options:
                    with suppress(OSError):  # not every kernel takes each of them
                        opened.setsockopt(*option)
                opened.connect(address)
                given_up.pop_all()
                return opened
        except OSError as error:  # or the kernel lacks the family of this one
            failure = error
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
        request_type="GET",
        name=without_method(name),
        response_time=(time.monotonic() - began_seconds) * 1000,
        response_length=0,
        response=head,
        exception=error,
        context=user.context(),
    )
