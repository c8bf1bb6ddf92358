"""One process that serves, and one turn of requests to it: the CPU seconds that they cost it.

A module of its own because this is what has to be exact: clients that cost nothing of the server's
time, and an answer that is looked at, as one that failed or found no rows is cheap.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.probe_kinds import Place
from benchmarks.probe_served import CPU_PATH
from benchmarks.pytest_process import Failed
from harness.served import announcement_of, owned_process

__all__ = ["cpu_seconds", "served"]

_CLIENTS = 4  # fewer than pool_size: a connection of the overflow is opened anew each time
_START_SECONDS = 30.0
_NO_ROWS = b"[]"


@contextmanager
def served(place: Place, *, is_probed: bool, hash_seed: int = 0) -> Iterator[str]:
    """The address of an application in a process of its own, for the block.

    Args:
        place: The application.
        is_probed: Whether the probe is around it.
        hash_seed: How its strings hash: equal processes that hash differently may differ in speed,
            as other names share a place in the interpreter's caches.
    """
    command = [sys.executable, "-m", "benchmarks.probe_served"]
    environment = {
        **place.environment,
        "BENCHMARK_APP": place.target,
        "BENCHMARK_PROBE": "1" if is_probed else "0",
        "PYTHONHASHSEED": str(hash_seed),
    }
    with owned_process(command, environment=environment) as process:
        told = announcement_of(process, within_seconds=_START_SECONDS)
        if told is None:
            raise Failed("the measured application did not start; its own words are above")
        yield told["url"]


def cpu_seconds(address: str, paths: Sequence[str]) -> float:
    """CPU seconds of the server for each of these requests.

    Raises:
        Failed: One was not answered with 200, or with an empty list.
    """
    return asyncio.run(_requested(address, paths)) / len(paths)


async def _requested(address: str, paths: Sequence[str]) -> float:
    before = float(await _get(address, [CPU_PATH]))
    await asyncio.gather(*(_get(address, paths[first::_CLIENTS]) for first in range(_CLIENTS)))
    return float(await _get(address, [CPU_PATH])) - before


async def _get(address: str, paths: Sequence[str]) -> bytes:
    """The last answer; one connection, kept open, with as little work as can be."""
    host = urlsplit(address)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    body = b""
    try:
        for path in paths:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n".encode())
            body = await _answer(reader, path)
    finally:
        writer.close()
        await writer.wait_closed()
    return body


async def _answer(reader: asyncio.StreamReader, path: str) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(f"{path} was answered with {head.splitlines()[0]!r}")
    body = await reader.readexactly(_length(head))
    if body == _NO_ROWS:
        raise Failed(f"{path} was answered with no rows, which costs next to nothing")
    return body


def _length(head: bytes) -> int:
    lines = head.lower().splitlines()
    told = next(line for line in lines if line.startswith(b"content-length:"))
    return int(told.split(b":")[1])
