"""An httpx client of an application in this process, as close to a server as that can be.

httpx has a transport for this. It collects the whole body before it returns, runs the application
in the caller's own task, knows no time-outs and never disconnects: streaming, cancellation and
clean-up cannot be tested through it. Here only the network is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

from harness.asgi.exchange import Exchange
from harness.capture.requests import ASGIApp, Scope
from harness.errors import UnfinishedRequestError

__all__ = ["AppClient", "AppTransport", "ClientOptions"]

_PORTS = {"http": 80, "https": 443}
# An application that reacts to a disconnect does so at once. The next line of a test may rely on
# it; one that does not react must not hold the test up.
_NOTICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How the client appears to the application."""

    base_url: str = "http://test"
    raise_app_exceptions: bool = True
    """Whether what the application raises is raised in the test, instead of answered by a 500."""
    root_path: str = ""
    """As uvicorn's ``--root-path``: the prefix that a proxy has taken off the path."""
    http_version: str = "1.1"
    address: tuple[str, int] = ("127.0.0.1", 123)
    """Host and port that requests come from."""
    grace_seconds: float = 5.0
    """How long a request may go on at the end of the test, after its client has gone away."""


@dataclass(slots=True, eq=False)
class AppTransport(httpx.AsyncBaseTransport):
    """Hands requests to an application, and its responses back as they are sent.

    Args:
        app: The application.
        options: How the client appears to it.
    """

    app: ASGIApp
    options: ClientOptions = field(default_factory=ClientOptions)
    raise_app_exceptions: bool = field(init=False)
    _exchanges: set[Exchange] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.raise_app_exceptions = self.options.raise_app_exceptions

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return as soon as the response has begun.

        Raises:
            httpx.ReadTimeout: The request has a read time-out, and it has passed.
        """
        exchange = self._begun(request)
        try:
            has_started = await exchange.started()
        except TimeoutError as error:
            exchange.disconnect()
            raise _timed_out(request) from error
        except BaseException:  # the caller has been cancelled
            exchange.disconnect()
            raise
        if has_started:
            body = _Body(exchange, self, request)
            return httpx.Response(exchange.status or 0, headers=exchange.headers, stream=body)
        await exchange.ended()
        self.raise_failure(exchange)
        return httpx.Response(500, text="Internal Server Error")

    def raise_failure(self, exchange: Exchange) -> None:
        """Raise what an application that has ended has raised, if the test wants to see it."""
        if not self.raise_app_exceptions:
            return
        if exchange.failure is not None:
            raise exchange.failure
        if not (exchange.is_complete or exchange.is_disconnected):
            raise RuntimeError("the application returned without completing its response")

    async def aclose(self) -> None:
        """Wait for requests whose client has gone away.

        Raises:
            UnfinishedRequestError: Some go on; they are cancelled.
        """
        here = asyncio.get_running_loop()
        exchanges = [item for item in self._exchanges if item.task.get_loop() is here]
        for exchange in exchanges:
            exchange.disconnect()
        unfinished = await _unfinished(exchanges, seconds=self.options.grace_seconds)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
            raise UnfinishedRequestError(
                f"{', '.join(task.get_name() for task in unfinished)} went on for "
                f"{self.options.grace_seconds:g} s after the client had gone away",
                remedy="end the endpoint or its background task before the test ends, or give "
                "the client more 'grace_seconds'",
            )

    def finish(self) -> None:
        """`aclose`, from outside of the loops that requests run on."""
        for loop in {exchange.task.get_loop() for exchange in self._exchanges}:
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(self.aclose(), loop).result()
            elif not loop.is_closed():
                loop.run_until_complete(self.aclose())

    def _begun(self, request: httpx.Request) -> Exchange:
        stream = request.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError("an async client cannot send the body of a sync one")
        seconds = request.extensions.get("timeout", {}).get("read")
        exchange = Exchange(self.app, self._scope(request), aiter(stream), seconds)
        exchange.begin()
        self._exchanges.add(exchange)
        exchange.task.add_done_callback(lambda _: self._exchanges.discard(exchange))
        return exchange

    def _scope(self, request: httpx.Request) -> Scope:
        url, root_path = request.url, self.options.root_path
        raw_path = url.raw_path.partition(b"?")[0]
        return {
            "type": "http",
            # uvicorn's: what Starlette does on a disconnect depends on it.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.options.http_version,
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": root_path + unquote(raw_path.decode("ascii")),
            "raw_path": root_path.encode("ascii") + raw_path,
            "query_string": url.query,
            "root_path": root_path,
            "server": (url.host, url.port or _PORTS.get(url.scheme)),
            "client": self.options.address,
        }


class AppClient(httpx.AsyncClient):
    """The client of an application in this process."""

    def __init__(self, app: ASGIApp, options: ClientOptions | None = None) -> None:
        options = options or ClientOptions()
        self.app_transport = AppTransport(app, options)
        # Without time-outs: a test that stands in a debugger must not get one. A request that is
        # given one has it.
        super().__init__(transport=self.app_transport, base_url=options.base_url, timeout=None)

    @property
    def raise_app_exceptions(self) -> bool:
        """Whether what the application raises is raised here; otherwise it is a 500."""
        return self.app_transport.raise_app_exceptions

    @raise_app_exceptions.setter
    def raise_app_exceptions(self, value: bool) -> None:
        self.app_transport.raise_app_exceptions = value


@dataclass(slots=True, eq=False)
class _Body(httpx.AsyncByteStream):
    """A response's body, in the parts in which the application sends it."""

    exchange: Exchange
    transport: AppTransport
    request: httpx.Request
    is_read: bool = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self.exchange.chunk()) is not None:
                yield chunk
        except TimeoutError as error:
            raise _timed_out(self.request) from error
        # A server's client would go on here. A test wants to see what background tasks and the
        # ends of dependencies have done, and what they raise.
        await self.exchange.ended()
        self.is_read = True
        self.transport.raise_failure(self.exchange)
        if not self.exchange.is_complete:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body"
            )

    async def aclose(self) -> None:
        if self.is_read:
            return
        was_done, self.is_read = self.exchange.task.done(), True
        if was_done:
            self.transport.raise_failure(self.exchange)
        self.exchange.disconnect()
        await _unfinished([self.exchange], seconds=_NOTICE_SECONDS)


async def _unfinished(exchanges: list[Exchange], *, seconds: float) -> set[asyncio.Task[None]]:
    tasks = [exchange.task for exchange in exchanges]
    return (await asyncio.wait(tasks, timeout=seconds))[1] if tasks else set()


def _timed_out(request: httpx.Request) -> httpx.ReadTimeout:
    seconds = request.extensions["timeout"]["read"]
    return httpx.ReadTimeout(f"nothing came for {seconds:g} s", request=request)
