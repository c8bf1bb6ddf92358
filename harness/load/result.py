"""What one run of Locust came to: the form in which its process hands it to others.

Apart from the stories that are made of it, because a run in another process is read back here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.capture.reckoning import Write
from harness.capture.traffic import Outcome
from harness.capture.windows import ClientWindow
from harness.findings import ProbeVerdict, Verdict
from harness.load.tally import Answer, Tally

__all__ = ["LoadResult", "Sample", "client_window"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request, as its client saw it."""

    offset_seconds: float
    """Start after the start of the load."""
    seconds: float
    route: str
    """``GET /users/{user_id}``."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Everything that one run of Locust saw, of all its processes together."""

    started_seconds: float
    """On the machine-wide clock of `time.monotonic`."""
    seconds: float
    users: int
    """At most, at once."""
    tally: Tally = field(repr=False)
    unstarted_users: int = 0
    """How many more were asked for, which the run was too short to start."""
    generator_cpu: float = 0.0
    """CPU seconds per second of the busiest process of the generator."""
    target_rate: float | None = None
    """Arrivals a second where they are scheduled; None where users wait."""
    timeout_seconds: float | None = None
    """After which a user gives up."""
    workers: int = 0
    """Processes that sent requests for a master; 0 where there was none."""
    losses: tuple[str, ...] = ()
    """Why the counts are not those of the whole load; empty if they are."""
    is_interrupted: bool = False
    verdicts: tuple[ProbeVerdict, ...] = ()
    """Of the run by itself; whoever started it may know more."""
    samples: tuple[Sample, ...] = field(default=(), repr=False)
    """Single requests, the first ones, where they were asked for."""
    writes: tuple[Write, ...] = field(default=(), repr=False)
    """What writers have sent, each with a key of its own; of a run of one process."""

    def write(self, file: Path) -> None:
        """Write as JSON, for the process that asked for the run."""
        data = {
            "started_seconds": self.started_seconds,
            "seconds": self.seconds,
            "users": self.users,
            "unstarted_users": self.unstarted_users,
            "tally": self.tally.as_json(),
            "generator_cpu": self.generator_cpu,
            "target_rate": self.target_rate,
            "timeout_seconds": self.timeout_seconds,
            "workers": self.workers,
            "losses": self.losses,
            "is_interrupted": self.is_interrupted,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "samples": [_row(sample) for sample in self.samples],
            "writes": [(write.key, write.status) for write in self.writes],
        }
        # In one step: whoever waits for the file must not read half of it.
        part = file.with_name(f"{file.name}.part")
        try:
            part.write_text(json.dumps(data), encoding="utf-8")
            part.replace(file)
        finally:
            with suppress(OSError):
                part.unlink()

    @classmethod
    def read(cls, file: Path) -> LoadResult:
        """The inverse of `write`."""
        data = json.loads(file.read_text(encoding="utf-8"))
        rows: Iterable[tuple[float, float, str, str]] = data.pop("samples")
        samples = tuple(Sample(row[0], row[1], row[2], Outcome(row[3])) for row in rows)
        writes = tuple(Write(row[0], row[1]) for row in data.pop("writes", ()))
        tally = Tally.from_json(data.pop("tally"))
        losses = tuple(data.pop("losses"))
        verdicts = tuple(
            ProbeVerdict(row["probe"], Verdict(row["verdict"]), row["summary"])
            for row in data.pop("verdicts")
        )
        return cls(
            tally=tally, losses=losses, verdicts=verdicts, samples=samples, writes=writes, **data
        )


def client_window(result: LoadResult) -> ClientWindow:
    """The generator's side of a stretch of load."""
    count = result.tally.count
    return ClientWindow(
        users=result.users,
        requests=result.tally.requests,
        ok=count(Answer.OK, Answer.REDIRECT),
        shed=count(Answer.SHED),
        errors=count(Answer.ERROR),
        refused=count(Answer.REFUSED, Answer.RATE_LIMITED),
        hung=count(Answer.HUNG),
        latency=result.tally.good_latency().distribution(),
        target_rate=result.target_rate,
        dropped=result.tally.dropped,
        rates=result.tally.timeline.rates(result.seconds),
        redirects=count(Answer.REDIRECT),
        rate_limited=count(Answer.RATE_LIMITED),
        transport_failures=count(Answer.CUT),
        timeout_seconds=result.timeout_seconds,
    )


def _row(sample: Sample) -> tuple[float, float, str, Outcome]:
    return sample.offset_seconds, sample.seconds, sample.route, sample.outcome
