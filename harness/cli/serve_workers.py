"""Several processes that serve one application on one socket.

Each is a ``harness serve`` of its own with the socket handed down, and listens also on a port of
loopback that is its alone: the probe counts per process, and who answers at the common port is the
kernel's choice. uvicorn's own supervisor does not tell who its workers are, does not end with its
owner, and replaces a worker that died, whose counts would be gone unnoticed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from harness.errors import ServerStartError, WorkerEndedError
from harness.served import START_SECONDS, Worker, announcement_of, owned_process, why_silent

__all__ = ["MOST_WORKERS", "stay_while_they_live", "workers_on"]

MOST_WORKERS = 64
"""More are a mistake of typing: each is a process with an application in it."""
_LOOK_SECONDS = 0.1


@contextmanager
def workers_on(
    listener: socket.socket,
    *,
    count: int,
    options: Sequence[str],
    environment: Mapping[str, str],
) -> Iterator[Mapping[Worker, subprocess.Popen[str]]]:
    """Serve with several processes inside the block.

    Args:
        listener: The bound socket that they share.
        count: How many.
        options: Of ``harness serve``, for each.
        environment: Further variables for them.

    Yields:
        Each worker with its process, once all of them answer.

    Raises:
        ServerStartError: If one does not come up.
    """
    command = [sys.executable, "-m", "harness", "serve", "--owned", "--json", *options]
    command += ["--fd", str(listener.fileno())]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                owned_process(command, environment=environment, inherits=[listener.fileno()])
            )
            for _ in range(count)
        ]
        stack.callback(_tell_all_to_stop, started)
        yield {_worker(process, number): process for number, process in enumerate(started, start=1)}


def stay_while_they_live(workers: Mapping[Worker, subprocess.Popen[str]]) -> None:
    """Wait until this process is told to stop, by an exception of a signal's handler.

    Raises:
        WorkerEndedError: A worker has ended by itself.
    """
    while True:
        for worker, process in workers.items():
            if process.poll() is not None:
                raise WorkerEndedError(
                    f"worker {worker.pid} of {len(workers)} ended with exit code "
                    f"{process.returncode}; the others are stopped",
                    remedy="what it counted is lost: begin the measurement again",
                )
        time.sleep(_LOOK_SECONDS)


def _worker(process: subprocess.Popen[str], number: int) -> Worker:
    announcement = announcement_of(process, within_seconds=START_SECONDS)
    if announcement is None:
        raise ServerStartError(
            f"worker {number} did not come up: it {why_silent(process, START_SECONDS)}",
            remedy="run `harness serve` with one worker to see why",
        )
    (own,) = announcement["workers"]
    return Worker(own["pid"], own["url"])


def _tell_all_to_stop(processes: Sequence[subprocess.Popen[str]]) -> None:
    """All at once, before each is waited for."""
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
