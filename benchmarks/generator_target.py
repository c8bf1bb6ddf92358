"""A server that answers every request with the same bytes, so that the generator is the limit.

A process of its own: it must not count for the generator. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import threading

__all__ = ["main"]

_BODY = b"[" + b'{"id": 1, "title": "a title of usual length"},' * 9 + b"{}]"
_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
_ANSWER = _HEAD.encode() + _BODY


class _Same(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(_ANSWER * data.count(b"\r\n\r\n"))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Same, "127.0.0.1", 0)
    gone = asyncio.Event()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=watch, daemon=True).start()
    print(server.sockets[0].getsockname()[1], flush=True)
    await gone.wait()
    server.close()


def main() -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
