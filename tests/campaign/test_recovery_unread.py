"""A process that tells nothing has ended where that is known; else nobody knows the way back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from harness.campaign.ground import Ground, NotOursError, Slice
from harness.campaign.outside import OutsideTarget
from harness.campaign.recovering.holding import Holding
from harness.campaign.recovering.plan import form_of
from harness.campaign.recovering.run import Run
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.campaign.traffic import Load, Traffic
from harness.capture.differences import load_window
from harness.capture.traffic import Outcome
from harness.capture.windows import MachineWindow, Reading, UnreadProcess
from harness.checks.load.judged import Judged
from harness.findings import Verdict
from harness.load.result import LoadResult, Sample
from harness.load.tally import Tally
from harness.rig.client import Rig
from harness.rig.protocol import Stretch
from tests.capture.readings import client, pool, status

Statuses = Mapping[int, Mapping[str, Any]]
SETTINGS = Settings(is_short=True)
ME = os.getpid()
TOLD = status(pools=[pool()])
GOOD = tuple(Sample(0.1 * number, 0.01, "GET /posts", Outcome.OK) for number in range(20))


@dataclass(slots=True, eq=False)
class Recorded(Ground):
    """Measures what was recorded, with good answers only; no trouble can be made here."""

    recorded: Iterator[Slice] = field(default_factory=lambda: iter(()))

    def required_rig(self, what: str) -> Rig:
        """None that would do anything."""
        raise NotOursError(what)

    def measured(
        self,
        scenario: Scenario,
        load: Load,
        *,
        meanwhile: Callable[[Traffic], None] | None = None,
        rest_seconds: float = 5.0,
    ) -> Slice:
        """The next one."""
        del scenario, load, meanwhile, rest_seconds
        return next(self.recorded)


def measured(
    before: Statuses,
    after: Statuses,
    at_rest: Statuses,
    *silent: UnreadProcess,
    at: float = 100.0,
    samples: tuple[Sample, ...] = GOOD,
) -> Slice:
    window = load_window(
        seconds=4.0, client=client(), before=before, after=after, at_rest=at_rest, silent=silent
    )
    stretch = Stretch(
        seconds=4.0,
        server=None,
        why_no_server="",
        machine=MachineWindow(2, 0.1, 0.0),
        before=before,
        after=after,
        at_rest=at_rest,
        silent=silent,
        series=(),
    )
    return Slice(window, LoadResult(at, 4.0, 2, Tally(), samples=samples), stretch)


def judged(last: Slice, *, is_ours: bool) -> Judged:
    """The way back from a load that stops, of which this is the second half."""
    first = measured(last.stretch.before, last.stretch.before, last.stretch.before, at=94.0)
    ground = Recorded(
        SETTINGS,
        lambda _step: None,
        rig=cast("Rig", object()) if is_ours else None,
        outside=None if is_ours else OutsideTarget("http://shop.example"),
        recorded=iter((first, last)),
    )
    run = Run(ground, Holding(ground, packaged("recovery"), form_of(SETTINGS), "nobody said how"))
    run.first()
    return run.judged[0]


@pytest.fixture
def ended() -> Iterator[int]:
    """A process that has ended, of which its parent has not taken note."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


def test_an_application_of_which_every_process_tells_finds_its_way_back() -> None:
    both = {1: TOLD, ME: TOLD}

    told = judged(measured(both, both, both), is_ours=True)

    assert told.verdict.verdict is Verdict.PASS
    assert told.verdict.summary.endswith("none after, no connection out")


@pytest.mark.parametrize(
    ("after", "at_rest", "why"),
    [
        ({1: TOLD}, {1: TOLD, ME: TOLD}, "was not read at the end of the load"),
        ({1: TOLD, ME: TOLD}, {1: TOLD}, "was not read when all clients had left"),
        ({1: TOLD}, {1: TOLD}, "was not read at the end of the load"),
    ],
    ids=["there again at rest", "missing at rest alone", "missing from the end on"],
)
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "somebody's"])
def test_a_process_that_runs_and_tells_nothing_decides_nothing(
    after: Statuses, at_rest: Statuses, why: str, *, is_ours: bool
) -> None:
    told = judged(measured({1: TOLD, ME: TOLD}, after, at_rest), is_ours=is_ours)

    assert (told.verdict.verdict, told.findings) == (Verdict.INCONCLUSIVE, ())
    assert told.verdict.summary.startswith(f"process {ME} {why}")


def test_a_process_that_is_silent_says_why() -> None:
    silent = UnreadProcess(ME, Reading.END, "it timed out after 5 s")

    told = judged(measured({ME: TOLD}, {}, {}, silent), is_ours=True)

    assert told.verdict.verdict is Verdict.INCONCLUSIVE
    assert told.verdict.summary.endswith("it timed out after 5 s")


def test_dead_connections_are_known_by_their_number_where_it_was_read_before() -> None:
    silent = UnreadProcess(ME, Reading.END, "it timed out after 5 s")
    samples = (replace(GOOD[0], outcome=Outcome.ERROR), *GOOD[1:])

    told = judged(measured({ME: TOLD}, {}, {}, silent, samples=samples), is_ours=True)

    assert [finding.kind for finding in told.findings] == ["stale-connection"]


def test_a_process_of_ours_that_has_ended_is_a_failure(ended: int) -> None:
    silent = UnreadProcess(ended, Reading.END, "connection refused")

    told = judged(measured({1: TOLD, ended: TOLD}, {1: TOLD}, {1: TOLD}, silent), is_ours=True)

    assert told.verdict.verdict is Verdict.FAIL
    assert [finding.kind for finding in told.findings] == ["ended-process"]


def test_a_process_that_ended_while_nobody_loaded_is_a_failure_too(ended: int) -> None:
    silent = UnreadProcess(ended, Reading.BEGINNING, "connection refused")
    last = measured({1: TOLD}, {1: TOLD}, {1: TOLD}, silent)
    both = {1: TOLD, ended: TOLD}
    first = measured(both, both, both)
    holding = Holding(
        Recorded(SETTINGS, print, rig=cast("Rig", object()), recorded=iter((first, last))),
        packaged("recovery"),
        form_of(SETTINGS),
        "nobody said how",
    )

    held, _ = holding.idle()

    assert held.processes_gone == 1


def test_of_somebody_elses_process_nobody_knows_whether_it_ended(ended: int) -> None:
    told = judged(measured({1: TOLD, ended: TOLD}, {1: TOLD}, {1: TOLD}), is_ours=False)

    assert told.verdict.verdict is Verdict.INCONCLUSIVE
    assert "it has ended since the beginning, or had no time to answer" in told.verdict.summary
