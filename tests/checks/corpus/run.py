"""Calls a case's handler as a route of an application, and records what happens."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from harness.capture import Recording, RequestTracker, SourceMap, recording
from tests.checks.corpus.labels import Case
from tests.checks.corpus.sessions import Databases

__all__ = ["called"]

_CORPUS = Path(__file__).parent
_PATH = "/case"


def called(case: Case, databases: Databases) -> Recording:
    """What one request to the handler does."""
    app = FastAPI()
    app.state.databases = databases
    app.add_api_route(_PATH, case.handler)
    tracker = RequestTracker()
    with recording(SourceMap(_CORPUS), requests=tracker) as recorder, _left_coroutines():
        asyncio.run(_get(httpx.ASGITransport(tracker.wrap(app), raise_app_exceptions=False)))
    return recorder.snapshot()


@contextmanager
def _left_coroutines() -> Iterator[None]:
    """A load that nothing awaits leaves a coroutine behind, and Python says so when it goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
        gc.collect()


async def _get(transport: httpx.ASGITransport) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://corpus") as client:
        await client.get(_PATH)
