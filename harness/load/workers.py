"""What a master knows of its workers: reports added up, and whether any is missing.

A report holds what was counted since the one before, and its number: a gap is a report that was
lost. A worker that has not sent its last one died, or was cut off. Either way the counts are those
of a smaller load than the one that was sent, and nobody may be told otherwise. Free of Locust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.load.run import Run
from harness.load.tally import Tally

__all__ = ["Reporter", "WorkerBook"]


@dataclass(slots=True, eq=False)
class Reporter:
    """The worker's side: numbers the reports of a run."""

    _sent: int = 0

    def reset(self) -> None:
        """A run begins."""
        self._sent = 0

    def report(self, run: Run, *, is_last: bool = False) -> dict[str, Any]:
        """What was counted since the last report.

        Args:
            run: The run.
            is_last: Whether its users have stopped.
        """
        run.read_cpu()
        self._sent += 1
        return {
            "run": run.number,
            "number": self._sent,
            "elapsed_seconds": run.elapsed_seconds,
            "cpu": run.cpu,
            "tally": run.take_tally().as_json(),
            "is_last": is_last,
        }


@dataclass(slots=True, eq=False)
class _Worker:
    reports: int = 0
    lost: int = 0
    has_ended: bool = False
    has_left: bool = False
    cpu: float = 0.0
    users: int = 0
    shift_seconds: int = 0


@dataclass(slots=True, eq=False)
class WorkerBook:
    """The master's side."""

    tally: Tally = field(default_factory=Tally)
    _workers: dict[str, _Worker] = field(default_factory=dict)

    def start(self, workers: Iterable[str]) -> None:
        """A run begins, with these."""
        self.tally = Tally()
        self._workers = {name: _Worker() for name in workers}

    def take(self, name: str, report: Mapping[str, Any], run: Run) -> None:
        """Add a report.

        Args:
            name: The worker's.
            report: As `Reporter` makes it; one of an earlier run is ignored.
            run: The master's clock.
        """
        if report["run"] != run.number:
            return
        worker = self._workers.setdefault(name, _Worker())
        if not worker.reports:
            # A worker that joins later begins its clock later; machines' clocks need not agree.
            late = run.elapsed_seconds - report["elapsed_seconds"]
            worker.shift_seconds = max(0, round(late))
        worker.lost += report["number"] - worker.reports - 1
        worker.reports = report["number"]
        worker.cpu = report["cpu"]
        worker.has_ended = worker.has_ended or report["is_last"]
        worker.has_left = worker.has_left or (report["is_last"] and run.is_running)
        self.tally.merge(Tally.from_json(report["tally"]), shift_seconds=worker.shift_seconds)

    def note_users(self, users: Mapping[str, int]) -> None:
        """How many users each worker has at this moment."""
        for name, count in users.items():
            # One that came late may be told nothing of this run, and owes it no report.
            if count or name in self._workers:
                worker = self._workers.setdefault(name, _Worker())
                worker.users = max(worker.users, count)

    @property
    def count(self) -> int:
        """Workers that took part."""
        return len(self._workers)

    @property
    def generator_cpu(self) -> float:
        """Of the busiest."""
        return max((worker.cpu for worker in self._workers.values()), default=0.0)

    def has_ended(self, names: Iterable[str]) -> bool:
        """Whether all of these have sent their last report."""
        workers = (self._workers.get(name) for name in names)
        return all(worker is None or worker.has_ended for worker in workers)

    def losses(self, run: Run) -> tuple[str, ...]:
        """What is missing, in words; empty if nothing is.

        Args:
            run: The master's, which knows how many users were asked for.
        """
        workers = self._workers.values()
        gone = sum(not worker.has_ended or worker.has_left for worker in workers)
        lost = sum(worker.lost for worker in workers)
        told = []
        if gone:
            told.append(f"{gone} of {self.count} workers went away before the end")
        if lost:
            told.append(f"{lost} reports of workers were lost on their way")
        if run.peak_users < run.started_users:
            told.append(self._too_few_users(run))
        return tuple(told)

    def _too_few_users(self, run: Run) -> str:
        """A worker that fails to start users stays connected, and reports a load of nothing."""
        idle = sum(not worker.users for worker in self._workers.values())
        return (
            f"{run.peak_users} of {run.started_users} users ran at most, and {idle} of "
            f"{self.count} workers had none: give all workers the same locustfile, and a master "
            "beside others on its machine a port of its own (--master-bind-port, --master-port)"
        )
