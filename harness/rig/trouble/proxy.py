"""A TCP proxy in front of PostgreSQL: the network between application and database, in our hands.

It passes bytes on as they are (TLS, COPY and cancel requests too) until it is told to be late, slow
or broken (`network`). In a thread of its own with an event loop of its own; the links that it
carries are in `link`.

Three differences from a real network: a connection that nobody answers is accepted first, because
the kernel does that; a server that refuses is seen as a connection that is reset; and the server
sees all clients come from the proxy's machine.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import URL

from harness.errors import ConfigurationError, UnreachableTargetError
from harness.rig.trouble.line import DEFAULT_PORT
from harness.rig.trouble.link import Carried, Link, Road
from harness.rig.trouble.network import HEALTHY, Fate, Network
from harness.rig.trouble.own_loop import Calling, own_loop

__all__ = ["Proxy", "ProxyCounts", "proxied"]

LOOPBACK = "127.0.0.1"
_BACKLOG = 512
_CHANGE_SECONDS = 10.0
_ACCEPT_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProxyCounts:
    """What has gone through so far."""

    connections: int
    """Accepted; refused ones do not get here."""
    open: int
    """At this moment."""
    unreachable: int
    """Accepted, and the server did not take them."""
    to_server_bytes: int
    to_client_bytes: int


class Proxy:
    """One server's proxy; made by `proxied`."""

    def __init__(self, calling: Calling, server: tuple[str, int]) -> None:
        self._calling = calling
        self._server = server
        self._road = Road()
        self._links: set[Link] = set()
        self._accepted = 0
        self._unreachable = 0
        self._carried = Carried()
        # Keeps the port while connections are refused: bound and never listening. Closing the one
        # that listens would let any other program have the port.
        self._place = _bound(0)
        self._accepting: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._place.getsockname()[:2]
        return str(host), int(port)

    def url(self, url: URL) -> URL:
        """The same database, through the proxy."""
        host, port = self.address
        return url.set(host=host, port=port)

    def counts(self) -> ProxyCounts:
        """What has gone through so far."""
        return ProxyCounts(
            connections=self._accepted,
            open=len(self._links),
            unreachable=self._unreachable,
            to_server_bytes=self._carried.to_server_bytes,
            to_client_bytes=self._carried.to_client_bytes,
        )

    def become(self, network: Network) -> None:
        """Be like this from now on; has taken effect when it returns."""
        self._calling.call(self._change(network), within_seconds=_CHANGE_SECONDS)

    def heal(self) -> None:
        """Pass everything on again; what was held back arrives."""
        self.become(HEALTHY)

    @contextmanager
    def being(self, network: Network) -> Iterator[None]:
        """Be like this inside the block, and healthy after it."""
        try:
            self.become(network)
            yield
        finally:
            self.heal()

    async def open(self) -> None:
        """Begin to listen; `proxied` does this."""
        await self._change(HEALTHY)

    async def close(self) -> None:
        """End all connections and give the port back; `proxied` does this."""
        await self._refuse()
        await self._reset_all()
        self._place.close()

    async def _change(self, network: Network) -> None:
        self._road.become(network)
        if network.new is Fate.RESET:
            await self._refuse()
        elif self._accepting is None:
            self._accepting = asyncio.create_task(self._accept(_listening(self.address[1])))
        for link in self._links:
            link.obey(network.existing)
        if network.existing is Fate.RESET:
            await self._reset_all()

    async def _refuse(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._accepting = None

    async def _reset_all(self) -> None:
        tasks = [link.reset() for link in self._links]
        if tasks:
            await asyncio.wait(tasks)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    client, _ = await loop.sock_accept(listener)
                except OSError:  # no file descriptors left, or the client has gone already
                    await asyncio.sleep(_ACCEPT_AGAIN_SECONDS)
                    continue
                self._accepted += 1
                link = Link(client, self._server, self._road, self._carried)
                self._links.add(link)
                link.begin().add_done_callback(partial(self._ended, link))

    def _ended(self, link: Link, _task: asyncio.Task[None]) -> None:
        self._links.discard(link)
        self._unreachable += link.is_server_unreachable


@contextmanager
def proxied(url: URL) -> Iterator[Proxy]:
    """A proxy in front of a server for the block, on a free port of the loopback.

    Args:
        url: Of any database of the server, by TCP.

    Raises:
        ConfigurationError: The URL leads to a unix socket.
        UnreachableTargetError: The server's name cannot be resolved.
    """
    with own_loop("harness proxy") as calling:
        proxy = Proxy(calling, _resolved(url))
        try:
            calling.call(proxy.open(), within_seconds=_CHANGE_SECONDS)
            yield proxy
        finally:
            calling.call(proxy.close(), within_seconds=_CHANGE_SECONDS)


def _resolved(url: URL) -> tuple[str, int]:
    host, port = url.host or "localhost", url.port or DEFAULT_PORT
    if host.startswith("/"):
        what = f"a proxy needs a TCP address, and {host} is the folder of a unix socket"
        raise ConfigurationError(what, remedy="name the server's host and port in the URL")
    try:
        # Once, and the first that answers: a name may have two addresses and a server on one.
        with socket.create_connection((host, port), timeout=_CHANGE_SECONDS) as probe:
            found = probe.getpeername()
    except OSError as error:
        raise UnreachableTargetError(f"nothing answers at {host}:{port}: {error}") from error
    return str(found[0]), int(found[1])


def _bound(port: int) -> socket.socket:
    place = socket.socket()
    with suppress(AttributeError):  # where two sockets cannot share a port, refusing fails loudly
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind((LOOPBACK, port))
    place.settimeout(0)
    return place


def _listening(port: int) -> socket.socket:
    listener = _bound(port)
    listener.listen(_BACKLOG)
    return listener
