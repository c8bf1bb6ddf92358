"""One run of the load in this process: its clock, its counts, its CPU. Free of Locust.

The web UI starts and stops several in one process; each begins from nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from harness.load.arrivals import Arrivals
from harness.load.result import Sample
from harness.load.tally import Answer, Tally

__all__ = ["Run"]


@dataclass(slots=True, eq=False)
class Run:
    """What this process counts between a start and a stop."""

    number: int = 0
    """0: none was started yet."""
    is_running: bool = False
    started_seconds: float = 0.0
    """On `time.monotonic`."""
    ended_seconds: float = 0.0
    peak_users: int = 0
    started_users: int = 0
    """Most that were asked for and had the time to start; fewer ran where a worker started none."""
    target_users: int = 0
    """Most that were asked for, whether there was time to start them or not."""
    tally: Tally = field(default_factory=Tally)
    most_samples: int = 0
    samples: list[Sample] = field(default_factory=list)
    writes: dict[str, int | None] = field(default_factory=dict)
    """By key what it was answered; None for no answer, or none yet."""
    arrivals: Arrivals | None = None
    """None where users wait for their answers."""
    cpu_started_seconds: float = 0.0
    cpu: float = 0.0
    """CPU seconds per second, of this process, as far as the run has come."""

    def start(self, *, number: int, most_samples: int, arrivals: Arrivals | None) -> None:
        """Begin another run; what was counted before is forgotten."""
        self.number = number
        self.most_samples = most_samples
        self.arrivals = arrivals
        self.tally = Tally()
        self.samples = []
        self.writes = {}
        self.peak_users = self.started_users = self.target_users = 0
        self.cpu = 0.0
        self.cpu_started_seconds = time.process_time()
        self.started_seconds = time.monotonic()
        self.is_running = True

    def stop(self) -> None:
        """The users are told to stop; what is in flight is still counted."""
        if not self.is_running:
            return
        self.read_cpu()
        self.is_running = False
        self.ended_seconds = time.monotonic()
        if self.arrivals is not None:
            self.arrivals.end(self.ended_seconds)

    def read_cpu(self) -> None:
        """Note the CPU use since the start, while it goes on."""
        if self.is_running:
            used = time.process_time() - self.cpu_started_seconds
            self.cpu = used / max(self.elapsed_seconds, 1e-6)

    @property
    def elapsed_seconds(self) -> float:
        """Since the start, or until the end of one that has ended."""
        if not self.number:
            return 0.0
        now = time.monotonic() if self.is_running else self.ended_seconds
        return now - self.started_seconds

    @property
    def unstarted_users(self) -> int:
        """How many more were asked for, which there was no time to start."""
        is_cut = self.started_users < self.target_users
        return max(0, self.target_users - self.peak_users) if is_cut else 0

    def note_users(self, running: int, *, target: int, is_spawned: bool) -> None:
        """Note how many there are, and how many there shall be.

        Args:
            running: In all processes together.
            target: How many were asked for.
            is_spawned: Whether all of them were told to begin.
        """
        self.peak_users = max(self.peak_users, running)
        self.target_users = max(self.target_users, target)
        if is_spawned:
            self.started_users = max(self.started_users, target)

    def count(
        self,
        route: str,
        answer: Answer,
        *,
        seconds: float,
        items: int | None = None,
        status: int | None = None,
    ) -> None:
        """Count a request that has just ended; see `Tally.add`."""
        ended_seconds = time.monotonic() - self.started_seconds
        self.tally.add(
            route,
            answer,
            seconds=seconds,
            ended_seconds=ended_seconds,
            items=items,
            status=status,
        )
        if len(self.samples) < self.most_samples:
            sample = Sample(ended_seconds - seconds, seconds, route, answer.outcome)
            self.samples.append(sample)

    def leave(self, route: str) -> None:
        """Count a request whose client has left on purpose."""
        self.tally.left[route] = self.tally.left.get(route, 0) + 1

    def take_tally(self) -> Tally:
        """What was counted since the last time; the counts begin from nothing again."""
        taken, self.tally = self.tally, Tally()
        if self.arrivals is not None:
            taken.dropped = self.arrivals.take_dropped()
        return taken
