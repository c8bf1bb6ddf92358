"""Users that read an answer slowly: a phone on a train, a dashboard that listens to events.

The server can send no faster than they read, once the buffers between are full; a body that comes
in time lasts as long as it lasts anyway. Each body is read for a bounded time, since some never
end.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import gevent

from harness.load.exchange import FAILURES, Head, exchange, tell
from harness.load.users import HarnessUser

__all__ = ["SlowReader"]

_CHUNK_BYTES = 2048
_PAUSE_SECONDS = 0.05
_LONGEST_SECONDS = 3.0
_BAD_LINE = (
    (socket.SOL_SOCKET, socket.SO_RCVBUF, 1024),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400),
)
"""What the kernels take in advance, nobody has read slowly. On the loopback, whose segments have
64 kB, Linux gives a sender a buffer of 4 MB: 0.1 s after the beginning it was 3.9 MB ahead of its
reader. With the segments of a network and this buffer, both told as the connection is made, it is
40 kB ahead then and 65 kB after 3 s [measured]. A kernel that refuses the segment size before it
connects, as that of macOS, leaves its readers less slow."""


class SlowReader(HarnessUser):
    """A user that reads bodies piece by piece.

    A request counts by the time until its answer begins; how long the body took, the application
    knows. A body that has not ended when the time is over is closed, and no failure.
    """

    abstract = True
    chunk_bytes = _CHUNK_BYTES
    pause_seconds = _PAUSE_SECONDS
    """After each piece."""
    longest_seconds = _LONGEST_SECONDS
    """For one body."""

    def get(self, template: str, **values: object) -> None:
        """Request a route, and read slowly; see `HarnessUser.get`."""
        self.visit(f"GET {template.partition('?')[0]}", template.format(**values))

    def visit(self, name: str, path: str) -> None:
        """Request a path, and read slowly.

        Args:
            name: The route: ``GET /exports/{export_id}``.
            path: With the query, if there is one.
        """
        began_seconds = time.monotonic()
        head: Head | None = None
        try:
            with exchange(self, path, options=_BAD_LINE) as connection:
                response = connection.getresponse()
                head = Head(response.status)
                tell(self, name, began_seconds=began_seconds, head=head)
                with suppress(gevent.Timeout), gevent.Timeout(self.longest_seconds):
                    while response.read1(self.chunk_bytes):
                        gevent.sleep(self.pause_seconds)
        except FAILURES as error:
            if head is None:
                tell(self, name, began_seconds=began_seconds, error=error)
