"""A slow service that is called over HTTP: what payment, mail and language models are elsewhere.

A module of its own because three families call it, and because the call itself is healthy; what
is held meanwhile is the fault. The service is a route of this application, at the address at which
the request itself came in, so nothing else has to run and no request leaves the machine.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request

from target_app.errors import UnavailableError
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    LONGEST_MILLISECONDS,
    Milliseconds,
    sleep_in_process,
)
from target_app.faults.schemas import Accepted

PATH = "/slow-service"
_TIMEOUT_SECONDS = 2 * LONGEST_MILLISECONDS / 1000


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # No connection is kept alive: the server would close an idle one just as it is used again. And
    # no limit: a client that waits for a connection of its own would hide what is measured.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        limits=limits, timeout=_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        app.state.slow_service_client = client
        yield


router = APIRouter(lifespan=_lifespan)


@router.get(PATH)
async def be_slow(milliseconds: Milliseconds = DEFAULT_MILLISECONDS) -> Accepted:
    """Answer late, without the database."""
    await sleep_in_process(milliseconds)
    return Accepted()


class SlowService:
    """Calls the slow service."""

    def __init__(self, client: httpx.AsyncClient, url: httpx.URL) -> None:
        self._client = client
        self._url = url

    async def call(self, milliseconds: int) -> None:
        """Return when the service has answered.

        Raises:
            UnavailableError: It did not.
        """
        try:
            answer = await self._client.get(self._url, params={"milliseconds": milliseconds})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise UnavailableError(f"no answer from {self._url}: {error!r}") from error


async def get_slow_service(request: Request) -> SlowService:
    """Return the service at the address of the socket that took this request.

    Not at that of its Host header, which a client may fill with anything.
    """
    host, port = request.scope["server"]
    url = httpx.URL(scheme=request.url.scheme, host=host, port=port, path=PATH)
    return SlowService(request.app.state.slow_service_client, url)


SlowServiceOfApp = Annotated[SlowService, Depends(get_slow_service)]
"""The slow service, as endpoints ask for it."""
