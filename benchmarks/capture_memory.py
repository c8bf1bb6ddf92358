"""What a recording keeps of one long request: memory at its most, while counts stay exact.

Of a request with 100,000 statements the issue is not time but what is kept. Python's own account of
memory is asked, so that what the database library takes and gives back does not matter.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from benchmarks.capture_workload import Table, orm_blocking, rows
from benchmarks.table import paragraph
from harness.capture import RequestTracker, SourceMap, recording

__all__ = ["MEGABYTES", "Memory", "measured_memory"]

MEGABYTES = 50
"""What a request of 100,000 statements may take."""
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """What one request took."""

    statements: int
    """That were run."""
    counted: int
    described: int
    peak_bytes: int

    @property
    def is_kept(self) -> bool:
        """Whether the promise is."""
        return self.counted == self.statements and self.peak_bytes < MEGABYTES * _MEGABYTE

    def __str__(self) -> str:
        return paragraph(
            f"{'kept' if self.is_kept else 'MISSED'}: a request of {self.statements:,} statements "
            f"took {self.peak_bytes / _MEGABYTE:.1f} MB of {MEGABYTES} MB at its most; "
            f"{self.counted:,} were counted, {self.described:,} described"
        )


def measured_memory(statements: int) -> Memory:
    """Run so many statements in one request, and describe what was kept of them."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Table.metadata.create_all(engine)
    with engine.begin() as connection:
        rows(connection)

    async def app(*_: object) -> None:
        orm_blocking(engine, statements)

    workload, tracker = "benchmarks.capture_workload", RequestTracker()
    orm_blocking(engine, 1)  # what SQLAlchemy keeps of a statement is not ours
    with recording(SourceMap(Path(__file__).parent / workload, [workload]), requests=tracker) as it:
        tracemalloc.start()
        asyncio.run(_requested(tracker.wrap(app)))
        taken = it.snapshot()
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    engine.dispose()
    own = taken.of_request(taken.requests[0].number)
    return Memory(statements, own.statement_count, len(own.round_trips), peak_bytes)


async def _requested(app: Any) -> None:  # noqa: ANN401 - an ASGI application
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(_: MutableMapping[str, Any]) -> None:
        """Nobody listens."""

    await app({"type": "http", "method": "GET", "path": "/"}, receive, send)
