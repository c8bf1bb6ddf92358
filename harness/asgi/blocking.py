"""The application's client for code that cannot await: requests run on a loop in another thread.

The same server side as the async client's (`client`), so that streaming, exceptions and disconnects
are alike; only the waiting differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from harness.asgi.client import AppTransport, ClientOptions
from harness.capture.requests import ASGIApp
from harness.loops import LoopThread

__all__ = ["SyncAppClient"]


class SyncAppClient(httpx.Client):
    """The client of an application that lives on a loop in another thread."""

    def __init__(
        self, app: ASGIApp, loop: LoopThread, options: ClientOptions | None = None
    ) -> None:
        options = options or ClientOptions()
        self.app_transport = AppTransport(app, options)
        transport = _BlockingTransport(self.app_transport, loop)
        super().__init__(transport=transport, base_url=options.base_url, timeout=None)

    @property
    def raise_app_exceptions(self) -> bool:
        """Whether what the application raises is raised here; otherwise it is a 500."""
        return self.app_transport.raise_app_exceptions

    @raise_app_exceptions.setter
    def raise_app_exceptions(self, value: bool) -> None:
        self.app_transport.raise_app_exceptions = value


@dataclass(slots=True, eq=False)
class _BlockingTransport(httpx.BaseTransport):
    inner: AppTransport
    loop: LoopThread

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # The body is read here: what makes it may belong to the caller's thread.
        sent = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=httpx.ByteStream(request.read()),
            extensions=request.extensions,
        )
        response = self.loop.run(self.inner.handle_async_request(sent))
        body = response.stream
        if not isinstance(body, httpx.AsyncByteStream):
            raise TypeError("the application's transport gave a sync body")
        return httpx.Response(
            response.status_code, headers=response.headers, stream=_BlockingBody(body, self.loop)
        )

    def close(self) -> None:
        self.inner.finish()


@dataclass(slots=True, eq=False)
class _BlockingBody(httpx.SyncByteStream):
    stream: httpx.AsyncByteStream
    loop: LoopThread

    def __iter__(self) -> Iterator[bytes]:
        chunks = aiter(self.stream)

        async def following() -> bytes | None:
            return await anext(chunks, None)

        while (chunk := self.loop.run(following())) is not None:
            yield chunk

    def close(self) -> None:
        self.loop.run(self.stream.aclose())
