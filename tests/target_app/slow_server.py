"""A slow service that a test holds in its hand: it answers when it is told to, not after a time.

The load faults call the address at which their own request came in. In-process requests have any
address that the client names, so a request to `SlowServer.url` calls this server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n""'


@dataclass(frozen=True, slots=True)
class SlowServer:
    """What the application waits for."""

    url: str
    called: asyncio.Event
    """Somebody waits for an answer."""
    released: asyncio.Event
    """Set by the test: now it may answer."""
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def slow_server() -> AsyncIterator[SlowServer]:
    """Run the server; whoever still waits at the end is answered."""
    called, released = asyncio.Event(), asyncio.Event()
    requests: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(request.decode().splitlines()[0])
        called.set()
        await released.wait()
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield SlowServer(f"http://{host}:{port}", called, released, requests)
    finally:
        released.set()
        server.close()
        await server.wait_closed()
