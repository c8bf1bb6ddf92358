"""One request of our own to the application, beside the generator's: where it goes, how it fails.

A module of its own because whoever tries routes, looks at bodies or asks beside a load asks alike.
The generator's requests are in `harness.load`, whose process Locust has patched; they go to the
same place, and look at certificates as little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead

from harness.load.sending import NO_HEADERS, connection_to, target_of

__all__ = ["FAILURES", "asked", "is_streamed", "read_whole"]

FAILURES = (OSError, HTTPException)
"""What can go wrong on the way."""
_READ_BYTES = 65536
_WITHOUT_BODY = frozenset(
    {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED}
)


@contextmanager
def asked(
    url: str, path: str, *, wait_seconds: float, headers: Mapping[str, str] = NO_HEADERS
) -> Iterator[HTTPResponse]:
    """Send a GET for the block, at whose end the connection is closed, read or not.

    Args:
        url: Of the application: ``"https://shop.example/api"``.
        path: With the query, as in a plan.
        wait_seconds: For each of the steps to the answer, and for each part of it.
        headers: To send with it.

    Raises:
        OSError: There is no connection, or no answer in time.
        HTTPException: What answers speaks no HTTP.
    """
    with closing(connection_to(url, wait_seconds=wait_seconds)) as connection:
        connection.request("GET", target_of(url, path), headers=headers)
        # A response that ends with its connection has a socket of its own to close.
        with closing(connection.getresponse()) as response:
            yield response


def is_streamed(response: HTTPResponse) -> bool:
    """Whether there is a body whose length nobody has told beforehand."""
    has_body = response.status not in _WITHOUT_BODY
    return has_body and response.getheader("Content-Length") is None


def read_whole(response: HTTPResponse, *, until_seconds: float) -> None:
    """Take a body to its end, which one that sends events has not.

    A connection's own limit is for each part, and does not end what sends a line every second.

    Args:
        response: Which is closed; its connection can be used again, unless this raises.
        until_seconds: On `time.monotonic`; the part that is awaited then is awaited still.

    Raises:
        TimeoutError: It has not ended by then.
        OSError: It does not go on.
        HTTPException: It was cut off.
    """
    with closing(response):
        while response.read1(_READ_BYTES):
            if time.monotonic() > until_seconds:
                raise TimeoutError("the body has no end")
        # Unlike `read`, `read1` takes a connection that is closed too early for the end.
        if response.length:
            raise IncompleteRead(b"", response.length)
