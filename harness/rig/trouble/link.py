"""One connection through the proxy: two sockets, and what travels between them.

Sockets rather than asyncio's streams: ending by RST, and reading nothing while nothing may pass,
are decisions about sockets that transports make themselves.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.rig.trouble.network import HEALTHY, PIECE_BYTES, Fate, Network, Pace

__all__ = ["Carried", "Link", "Road"]

_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST and drops what is left
_CONNECT_SECONDS = 10.0
_ON_THE_WAY = 64
"""Pieces that a slow road holds in each direction; a sender that is faster has to wait."""


@dataclass(slots=True, eq=False)
class Carried:
    """What all links of a proxy have carried."""

    to_server_bytes: int = 0
    to_client_bytes: int = 0

    def to_server(self, size_bytes: int) -> None:
        """Count what a server was given."""
        self.to_server_bytes += size_bytes

    def to_client(self, size_bytes: int) -> None:
        """Count what a client was given."""
        self.to_client_bytes += size_bytes


@dataclass(slots=True, eq=False)
class Road:
    """What all links of a proxy share: the network of the moment, and its room."""

    network: Network = HEALTHY
    to_server: Pace = field(default_factory=Pace)
    to_client: Pace = field(default_factory=Pace)
    admitting: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, network: Network) -> None:
        """Be like this from now on."""
        self.network = network
        if network.new is Fate.SILENT:
            self.admitting.clear()
        else:
            self.admitting.set()


class Link:
    """A client's connection to the server."""

    def __init__(
        self, client: socket.socket, server: tuple[str, int], road: Road, carried: Carried
    ) -> None:
        client.settimeout(0)
        self._client = client
        self._address = server
        self._road = road
        self._carried = carried
        self._passing = asyncio.Event()
        self._passing.set()
        self._is_reset = False
        self._task: asyncio.Task[None] | None = None
        self.is_server_unreachable = False

    def begin(self) -> asyncio.Task[None]:
        """Carry in a task, which ends with the link and never fails."""
        self._task = asyncio.create_task(self._live())
        return self._task

    def obey(self, fate: Fate) -> None:
        """Let data pass, or hold it."""
        if fate is Fate.SILENT:
            self._passing.clear()
        else:
            self._passing.set()

    def reset(self) -> asyncio.Task[None]:
        """End both connections by RST; the task is over when they are."""
        if self._task is None:
            raise RuntimeError("a link is reset after it has begun")
        self._is_reset = True
        self._task.cancel()
        return self._task

    async def _live(self) -> None:
        server = socket.socket(_family(self._address))
        server.settimeout(0)
        try:
            await self._road.admitting.wait()
            await self._connect(server)
            await self._carry(server)
        except (OSError, ExceptionGroup):
            self._is_reset = True  # as it broke on one side, so it breaks on the other
            await self._passing.wait()  # which is not told while nothing passes
        except asyncio.CancelledError:
            if not self._is_reset:
                raise
        finally:
            for each in (self._client, server):
                _close(each, by_reset=self._is_reset)

    async def _connect(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.sock_connect(server, self._address)
        except OSError:
            self.is_server_unreachable = True
            raise
        for each in (self._client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _carry(self, server: socket.socket) -> None:
        async with asyncio.TaskGroup() as both:
            for source, target, pace, count in (
                (self._client, server, self._road.to_server, self._carried.to_server),
                (server, self._client, self._road.to_client, self._carried.to_client),
            ):
                pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)
                both.create_task(self._receive(source, pieces, pace))
                both.create_task(self._deliver(target, pieces, pace, count))

    async def _receive(
        self, source: socket.socket, pieces: asyncio.Queue[tuple[float, bytes]], pace: Pace
    ) -> None:
        loop = asyncio.get_running_loop()
        last_due, received = 0.0, b"."
        while received:
            received = await loop.sock_recv(source, PIECE_BYTES)
            last_due = max(last_due, pace.due(self._road.network, now=loop.time()))
            await pieces.put((last_due, received))

    async def _deliver(
        self,
        target: socket.socket,
        pieces: asyncio.Queue[tuple[float, bytes]],
        pace: Pace,
        count: Callable[[int], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, received = await pieces.get()
            await _until(due)
            await self._passing.wait()
            if not received:
                target.shutdown(socket.SHUT_WR)
                return
            while received:
                size_bytes = pace.piece_bytes(self._road.network)
                piece, received = received[:size_bytes], received[size_bytes:]
                await _until(pace.sent_at(len(piece), self._road.network, now=loop.time()))
                await self._passing.wait()
                await loop.sock_sendall(target, piece)
                count(len(piece))


async def _until(moment: float) -> None:
    seconds = moment - asyncio.get_running_loop().time()
    if seconds > 0:
        await asyncio.sleep(seconds)


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _close(connection: socket.socket, *, by_reset: bool) -> None:
    try:
        if by_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:  # it has ended already
        pass
    finally:
        connection.close()
