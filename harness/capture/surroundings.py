"""What surrounds the requests of a process: its CPU time, its threads, its collections of garbage.

Of FastAPI, anyio and the drivers only what is loaded already is asked: the probe brings none of
them into a process.
"""

from __future__ import annotations

import gc
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import sqlalchemy

from harness.capture.histogram import Histogram
from harness.capture.route_counts import levels_json

__all__ = ["Collections", "Threads", "cpu_seconds", "versions"]

_TOLD = (
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "asyncpg",
    "psycopg",
    "psycopg2",
    "aiosqlite",
)
_FULL = 2
"""The oldest generation: the younger ones take microseconds."""


def cpu_seconds() -> float:
    """CPU time of all threads of the process."""
    return time.process_time()


def versions() -> dict[str, str]:
    """Of what decides how long a connection is held: FastAPI alone has changed it three times."""
    told = {"python": platform.python_version(), "sqlalchemy": sqlalchemy.__version__}
    for name in _TOLD:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            told[name] = version.split()[0]  # psycopg2 tells how it was built, too
    return told


@dataclass(slots=True, eq=False)
class Threads:
    """The threads that ``def`` endpoints of an event loop share."""

    waiting_at: Counter[int] = field(default_factory=Counter)
    """By number of requests that waited for one: looks that found so many."""
    _limiter: Any = None

    def find(self) -> None:
        """Note the limiter of the running loop, if anyio is there and knows the loop."""
        to_thread = sys.modules.get("anyio.to_thread")
        if self._limiter is None and to_thread is not None:
            self._limiter = to_thread.current_default_thread_limiter()

    def look(self) -> None:
        """Note how many wait; from any thread."""
        if self._limiter is not None:
            waiting = self._limiter.statistics().tasks_waiting
            if waiting:
                self.waiting_at[waiting] += 1

    def as_json(self) -> dict[str, Any] | None:
        """None where nobody knows."""
        if self._limiter is None:
            return None
        statistics = self._limiter.statistics()
        total = statistics.total_tokens
        return {
            "total": total if total != float("inf") else None,
            "borrowed": statistics.borrowed_tokens,
            "waiting": statistics.tasks_waiting,
            "waiting_at": levels_json(self.waiting_at),
        }


@dataclass(slots=True, eq=False)
class Collections:
    """Pauses of full garbage collections: they look like a loop that stands still."""

    pauses: Histogram = field(default_factory=Histogram)
    _began_seconds: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time them inside the block."""
        gc.callbacks.append(self._heard)
        try:
            yield
        finally:
            gc.callbacks.remove(self._heard)

    def _heard(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] != _FULL:
            return
        if phase == "start":
            self._began_seconds = perf_counter()
        elif self._began_seconds:
            self.pauses.add(perf_counter() - self._began_seconds)
