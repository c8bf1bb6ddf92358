"""The sizing probe on workloads whose answer is known: what limits each, and which size is right.

The reference application is served on a PostgreSQL of its own, with its load faults. Advisory locks
over K keys have a knee at K; a route that computes, one that holds its connection over HTTP, one
that nests and one that leaks each have one cause. An answer that the machine made impossible is
asked for again, ``--rounds`` times at most, three by default.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.commandline import machine, parser_of, run_to_its_end, write_json
from benchmarks.pytest_process import Failed
from benchmarks.rounds import Progress
from benchmarks.table import paragraph, table
from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.probes.pool_sizing import pool_sizing
from harness.campaign.scenario import Settings, packaged
from harness.findings import Verdict
from harness.rig.client import Rig, rig_process
from harness.rig.protocol import Started

__all__ = ["CASES", "Case", "Trial", "main", "on_reference_application", "report", "trial"]

_ATTEMPTS = 3
_EXAMPLE = """example:
  python benchmarks/calibration.py --json calibration.json
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A workload, and what is right to say of it."""

    name: str
    path: str
    """Of the route, with its query."""
    cause: str
    """Check that explains it; empty where nothing is wrong."""
    knee: int | None = None
    """Connections beyond which more bring nothing; None where no sweep is asked for."""
    is_fault: bool = False
    """Whether something is wrong, not only a limit reached."""

    @property
    def settings(self) -> Settings:
        """A whole sweep for those with a knee, else the short form."""
        route = f"GET {self.path.partition('?')[0]}"
        return Settings(plan=((route, self.path),), is_short=self.knee is None)


def _locks(*, keys: int, milliseconds: int) -> Case:
    path = f"/capacity/locks?keys={keys}&milliseconds={milliseconds}"
    return Case(f"{keys} locks", path, "database-bound", keys)


CASES = (
    # So slow that the process has CPU to spare at the knee: 200 requests a second at most.
    _locks(keys=2, milliseconds=20),
    _locks(keys=4, milliseconds=20),
    _locks(keys=8, milliseconds=40),
    Case("computes", "/capacity/cpu?milliseconds=5", "saturated-loop"),
    Case("held over HTTP", "/faults/held-connection/http", "held-idle", is_fault=True),
    Case("its twin", "/twins/held-connection/http?milliseconds=200", ""),
    Case("nested", "/faults/nested-checkout/two?milliseconds=20", "nesting", is_fault=True),
    Case("its twin, nested", "/twins/nested-checkout/two?milliseconds=20", ""),
    Case("leaks", "/faults/leak/never-closed", "leak", is_fault=True),
    Case("its twin, leaks", "/twins/leak/never-closed", ""),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the probe said of a case."""

    case: Case
    outcome: Outcome
    attempts: int
    seconds: float

    @property
    def cause(self) -> str:
        """Check that explained it; empty where none did."""
        told = self.outcome.classification
        return told.cause if told is not None else ""

    @property
    def is_conclusive(self) -> bool:
        """Whether the probe had an answer to everything it asked."""
        return _is_conclusive(self.outcome)

    @property
    def size(self) -> int | None:
        """What is recommended; None without a recommendation."""
        told = self.outcome.recommendation
        return told.pool_size if told is not None else None

    @property
    def is_right(self) -> bool:
        """Whether that is so: a healthy workload may reach its limit, but has no fault."""
        if self.case.is_fault or self.case.cause:
            return self.cause == self.case.cause and self._is_size_right
        return all(item.verdict is not Verdict.FAIL for item in self.outcome.verdicts)

    @property
    def _is_size_right(self) -> bool:
        """Sizes double, so that one step is a factor of two."""
        if self.case.knee is None:
            return True
        return self.size is not None and self.case.knee / 2 <= self.size <= self.case.knee * 2


def trial(
    rig: Rig, started: Started, case: Case, progress: Progress, *, attempts: int = _ATTEMPTS
) -> Trial:
    """Hold the probe on a case, again where it has no answer."""
    began, attempt = time.perf_counter(), 1

    def tell(step: str) -> None:
        progress.show(f"{case.name}, attempt {attempt} of {attempts}: {step}")

    outcome = _held(rig, started, case, tell)
    while attempt < attempts and not _is_conclusive(outcome):
        attempt += 1
        outcome = _held(rig, started, case, tell)
    return Trial(case, outcome, attempt, time.perf_counter() - began)


def _is_conclusive(outcome: Outcome) -> bool:
    return all(item.verdict is not Verdict.INCONCLUSIVE for item in outcome.verdicts)


def _held(rig: Rig, started: Started, case: Case, tell: Callable[[str], None]) -> Outcome:
    ground = Ground(case.settings, tell, rig=rig, started=started)
    return pool_sizing(ground, packaged("pool_sizing"))


@contextmanager
def on_reference_application() -> Iterator[tuple[Rig, Started]]:
    """The reference application with its load faults, for the block."""
    own = {"HARNESS_POSTGRES": "embedded"} if "HARNESS_POSTGRES" in os.environ else {}
    with rig_process(environment={"TARGET_APP_LOAD_FAULTS": "true", **own}) as rig:
        yield rig, rig.start(Path(__file__).parent.parent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE, needs_server=False)
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name has this")
    return run_to_its_end(partial(_program, parser.parse_args(arguments)))


def _program(options: argparse.Namespace) -> None:
    cases = [case for case in CASES if options.only in case.name]
    if options.quick:
        cases = cases[-1:]
    progress, trials = Progress(), list[Trial]()
    with on_reference_application() as (rig, started):
        print(machine(None), started.origin)
        for case in cases:
            attempts = 1 if options.quick else options.rounds or _ATTEMPTS
            trials.append(trial(rig, started, case, progress, attempts=attempts))
            progress.note(_line(trials[-1]))
    progress.clear()
    print("\n".join(report(trials)))
    if options.json:
        write_json(options.json, None, {"cases": [_figures(each) for each in trials]})
    wrong = [each.case.name for each in trials if not (each.is_right and each.is_conclusive)]
    if wrong and not options.quick:
        raise Failed(f"not as known: {', '.join(wrong)}")


def _line(told: Trial) -> str:
    return f"{told.case.name}: {'; '.join(item.summary for item in told.outcome.verdicts)}"


def report(trials: Sequence[Trial]) -> Iterator[str]:
    """Lines of a table, and the curves of the sweeps."""
    heading = ("workload", "expected", "cause", "size", "attempts", "seconds", "right")
    rows = [
        (
            each.case.name,
            each.case.cause or "no fault",
            each.cause or "none",
            str(each.size or ""),
            str(each.attempts),
            f"{each.seconds:.0f}",
            "yes" if each.is_right and each.is_conclusive else "NO",
        )
        for each in trials
    ]
    yield from table(heading, rows)
    yield ""
    for each in trials:
        told = each.outcome.recommendation
        if told is not None and told.curve:
            rates = ", ".join(f"{point.size}: {point.rate:.0f}" for point in told.curve)
            yield paragraph(f"{each.case.name}: requests a second by pool size: {rates}")


def _figures(told: Trial) -> dict[str, Any]:
    curve = told.outcome.recommendation.curve if told.outcome.recommendation else ()
    return {
        "case": told.case.name,
        "cause": told.cause,
        "size": told.size,
        "attempts": told.attempts,
        "seconds": told.seconds,
        "is_right": told.is_right,
        "verdicts": {item.probe: [item.verdict, item.summary] for item in told.outcome.verdicts},
        "rates": {str(point.size): point.rate for point in curve},
    }


if __name__ == "__main__":
    raise SystemExit(main())
