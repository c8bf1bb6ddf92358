"""One request to one handler of the corpus: what every tool watches."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

from benchmarks.n_plus_one.cases import path_of
from tests.checks.corpus.labels import Case
from tests.checks.corpus.sessions import Databases


def test_a_request(
    case: Case,
    databases: Databases,
    watched: Callable[[FastAPI], Any],
    record_property: Callable[[str, object], None],
) -> None:
    """The request is answered; whether a tool objects is its own business."""
    app = FastAPI()
    app.state.databases = databases
    app.add_api_route(path_of(case), case.handler)
    with warnings.catch_warnings():
        # A load that nothing awaits leaves a coroutine behind, and Python says so when it goes.
        warnings.simplefilter("ignore", RuntimeWarning)
        status = asyncio.run(_status(watched(app), path_of(case)))
        gc.collect()
    record_property("status", status)


async def _status(app: Any, path: str) -> int:  # noqa: ANN401 - any ASGI application
    # In this task and its context, which the most tools follow: TestClient uses a thread.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://corpus") as client:
        return (await client.get(path)).status_code
