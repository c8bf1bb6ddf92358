"""One window at a time: readings of probe, server and machine at both ends, put together.

A process that does not tell its status in time is a fact of the window, not the end of it: that an
application hangs is what some probes are after.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.database.activity import ActivitySampler
from harness.errors import BlindRecorderError, MisuseError, UnreachableTargetError
from harness.rig.machine import CpuReading, Participants, machine_window, postmaster_of, read_cpu
from harness.rig.protocol import Stretch
from harness.served import ServedApplication
from harness.statuses import read_status

__all__ = ["NOT_WATCHED", "Observatory"]

_STATUS_SECONDS = 5.0
_POLL_SECONDS = 0.05
NOT_WATCHED = "the application works on SQLite, which has no server"

Statuses = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Beginning:
    at_seconds: float
    cpu: CpuReading
    statuses: Statuses
    generator: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Observatory:
    """Reads from all sides what one stretch of load did.

    Attributes:
        sampler: The server's side; None where there is no server.
        own_pid: Of the rig, which has started application and server.
    """

    sampler: ActivitySampler | None
    own_pid: int
    _begun: _Beginning | None = None
    _unreadable: dict[int, str] = field(default_factory=dict)

    def begin(self, served: ServedApplication, generator: Iterable[int]) -> None:
        """A window begins; one that has not ended is forgotten."""
        pids = tuple(generator)
        self._unreadable = {}
        statuses = self._statuses(served)
        if self.sampler is not None:
            self.sampler.begin()
        self._begun = _Beginning(time.monotonic(), self._cpu(pids), statuses, pids)

    def end(self, served: ServedApplication, *, rest_seconds: float) -> Stretch:
        """The window ends.

        Args:
            served: The application.
            rest_seconds: How long to wait afterwards until no connection is out; 0 for not at all.

        Raises:
            MisuseError: None has begun.
        """
        begun, self._begun = self._begun, None
        if begun is None:
            raise MisuseError("no window has begun", remedy="begin one before it is ended")
        seconds = time.monotonic() - begun.at_seconds
        cpu = self._cpu(begun.generator)
        activity = self.sampler.reading() if self.sampler is not None else None
        after = self._statuses(served)
        return Stretch(
            seconds=seconds,
            server=activity.window if activity is not None else None,
            why_no_server=activity.reason if activity is not None else NOT_WATCHED,
            machine=machine_window(begun.cpu, cpu),
            before=begun.statuses,
            after=after,
            at_rest=self._at_rest(served, after, rest_seconds) if rest_seconds else {},
            unreadable=dict(self._unreadable),
            series=tuple(asdict(sample) for sample in activity.series) if activity else (),
        )

    def server_pid(self) -> int | None:
        """The server's first process, where it can be seen. Another one after a restart."""
        return postmaster_of(self.sampler.backend) if self.sampler is not None else None

    def _cpu(self, generator: tuple[int, ...]) -> CpuReading:
        server = self.server_pid()
        return read_cpu(
            Participants(generator, (self.own_pid, *([server] if server is not None else [])))
        )

    def _at_rest(self, served: ServedApplication, last: Statuses, rest_seconds: float) -> Statuses:
        until_seconds = time.monotonic() + rest_seconds
        statuses = last
        while not _is_at_rest(statuses) and time.monotonic() < until_seconds:
            time.sleep(_POLL_SECONDS)
            statuses = self._statuses(served)
        return statuses

    def _statuses(self, served: ServedApplication) -> Statuses:
        def read(url: str) -> Mapping[str, Any] | str:
            try:
                return read_status(url, served.token, wait_seconds=_STATUS_SECONDS)
            except (UnreachableTargetError, BlindRecorderError) as error:
                return " ".join(filter(None, (error.what, error.where)))

        with ThreadPoolExecutor(max_workers=len(served.workers)) as threads:
            answers = list(threads.map(read, [worker.url for worker in served.workers]))
        told = dict(zip([worker.pid for worker in served.workers], answers, strict=True))
        self._unreadable |= {pid: why for pid, why in told.items() if isinstance(why, str)}
        return {pid: status for pid, status in told.items() if not isinstance(status, str)}


def _is_at_rest(statuses: Statuses) -> bool:
    pools = (pool for status in statuses.values() for pool in status["pools"])
    return not any(pool["checked_out"] for pool in pools)
