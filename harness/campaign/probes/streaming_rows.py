"""Rows for streams: as many as it takes that a body is not sent before its reader could be slow.

Some 100 kB are in the buffers of server and kernels before a reader has taken any. The rows that a
project begins with are rarely so many, so they are added, to a copy of its database. Apart from the
probe, because it has to look how long bodies are, and whether they are still answered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum, auto

from harness.campaign.asking import FAILURES, asked
from harness.campaign.ground import Ground
from harness.errors import IsolationError
from harness.load.routes import Plan
from harness.load.sending import NO_HEADERS
from harness.pool_choice import PoolChoice
from harness.rig.protocol import Serving

__all__ = ["Body", "are_enough", "body_of", "serve_with_rows"]

_STEPS = (250, 500, 1000, 2000, 4000, 8000)
"""Rows beyond those at the beginning."""
_SECONDS, _SHORT_SECONDS = 4.0, 1.5
"""After which no further step is begun, once there is a long stream. 1000 rows for three tables
took 1.3 s, for twelve 8 s [measured]."""
_PATIENCE_SECONDS, _SHORT_PATIENCE_SECONDS = 24.0, 12.0
"""Likewise as long as there is none: 250 rows for twelve tables took 1.5 s on a busy machine, and
without a long stream there is no probe."""
_LONG_BYTES = 200_000
_LONG_SECONDS = 0.5
_READ_BYTES = 65536
_MOST_LOOKED_AT = 8
_GOOD = range(200, 300)


class Body(Enum):
    """What a reader that takes all it gets can say of a stream."""

    FAILED = auto()
    SHORT = auto()
    LONG = auto()
    SLOW = auto()
    """It takes its time, which is no matter of rows; or the machine is busy."""


def serve_with_rows(ground: Ground, pool: PoolChoice, streams: Plan) -> tuple[Serving, int]:
    """Serve, and add rows until streams are long.

    Args:
        ground: With a rig.
        pool: To serve with.
        streams: Those of the application.

    Returns:
        What is served, and how many rows were added to each table: none where streams are long
        anyway, where none was answered with more, and where there is no copy to add them to.
    """
    try:
        serving = ground.serve(pool, is_scratch=True)
    except IsolationError:
        return ground.serve(pool), 0
    looked_at = streams[:_MOST_LOOKED_AT]
    rows = _added(ground, serving.url, looked_at)
    if rows and all(body is Body.FAILED for body in _bodies(ground, serving.url, looked_at)):
        return ground.serve(pool), 0
    return serving, rows


def _added(ground: Ground, url: str, plan: Plan) -> int:
    """How many, once no stream is short any more, or it takes too long."""
    rig = ground.required_rig("to add rows")
    is_short, began_seconds = ground.settings.is_short, time.monotonic()
    rows = 0
    for step in _STEPS:
        bodies = _bodies(ground, url, plan)
        if are_enough(bodies, time.monotonic() - began_seconds, is_short=is_short):
            break
        rig.grow_rows(step)
        rows = step
    return rows


def are_enough(bodies: list[Body], seconds: float, *, is_short: bool) -> bool:
    """Whether no more rows are added: for some streams no number is enough.

    Args:
        bodies: Of the streams, as they are now.
        seconds: For which rows have been added.
        is_short: In the short form.
    """
    enough_seconds = _SHORT_SECONDS if is_short else _SECONDS
    patience_seconds = _SHORT_PATIENCE_SECONDS if is_short else _PATIENCE_SECONDS
    if Body.SHORT not in bodies:
        return True
    return seconds > (enough_seconds if Body.LONG in bodies else patience_seconds)


def _bodies(ground: Ground, url: str, plan: Plan) -> list[Body]:
    return [body_of(url, path, ground.settings.headers) for _, path in plan]


def body_of(url: str, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Body:
    """Read a stream as fast as it comes, for as long as it takes to tell.

    Args:
        url: Of the application.
        path: Of the stream, with the query.
        headers: To send with the request.
    """
    until_seconds = time.monotonic() + _LONG_SECONDS
    size_bytes = 0
    try:
        with asked(url, path, wait_seconds=_LONG_SECONDS, headers=headers) as response:
            if response.status not in _GOOD:
                return Body.FAILED
            while part := response.read1(_READ_BYTES):
                size_bytes += len(part)
                if size_bytes >= _LONG_BYTES:
                    return Body.LONG
                if time.monotonic() >= until_seconds:
                    return Body.SLOW
    except TimeoutError:
        return Body.SLOW
    except FAILURES:
        return Body.FAILED
    return Body.SHORT
