"""How long a soak goes on, and what is known of one that is cut short."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from harness.campaign.conduct import Campaign
from harness.campaign.ground import Ground, Slice
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.soak import soak
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.campaign.traffic import Load, Traffic
from harness.capture.windows import LoadWindow, Reading, UnreadProcess
from harness.config import Configuration, Project
from harness.findings import ProbeVerdict, Verdict
from harness.load.result import LoadResult
from harness.rig.protocol import Json, Stretch
from tests.checks.load.building import QUIET, with_client
from tests.checks.load.recorded import CALM, LEAKED

DEAD = with_client(CALM, ok=0, errors=CALM.client.requests)
NOTHING_TOLD = Stretch(
    seconds=1.0,
    server=None,
    why_no_server="",
    machine=QUIET,
    before={},
    after={},
    at_rest={},
    silent=(),
    series=(),
)


@dataclass(slots=True, eq=False)
class Recorded(Ground):
    """Measures what was recorded, and is interrupted when that is over."""

    recorded: Iterator[LoadWindow] = field(default_factory=lambda: iter(()))
    at_rest: Iterator[Sequence[int]] = field(default_factory=lambda: iter(()))
    """The processes that tell something at the end of each; none where that is not said."""

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
        window = next(self.recorded, None)
        if window is None:
            raise KeyboardInterrupt
        self.windows.append(window)
        told: dict[int, Json] = {pid: {"pools": []} for pid in next(self.at_rest, ())}
        return Slice(window, cast("LoadResult", None), replace(NOTHING_TOLD, at_rest=told))


def campaign(*recorded: LoadWindow, told: list[str] | None = None) -> Campaign:
    said: list[str] = [] if told is None else told
    target = OutsideTarget("http://shop.example")
    ground = Recorded(Settings(), said.append, outside=target, recorded=iter(recorded))
    project = Project(Path(), Configuration(), {})
    return Campaign(project, ground, [packaged("soak")], probes={"soak": soak})


def interrupted(*recorded: LoadWindow) -> tuple[ProbeVerdict, ...]:
    held = campaign(*recorded)
    with pytest.raises(KeyboardInterrupt):
        held.run()
    return held.report().probes


def test_a_soak_of_which_nothing_is_answered_any_more_has_shown_what_it_can() -> None:
    told: list[str] = []
    held = campaign(CALM, DEAD, *[CALM] * 6, told=told)

    held.run()

    assert held.report().probes[0].verdict is Verdict.FAIL
    assert held.report().probes[0].summary == "100 % of the requests fail at last, 0 % at first"
    assert "nothing was answered well in stretch 2: no further one" in told


def test_what_an_interrupted_soak_has_found_is_found() -> None:
    counts, times = interrupted(CALM, LEAKED, LEAKED)

    assert (counts.probe, counts.verdict) == ("soak", Verdict.FAIL)
    assert "still out" in counts.summary
    assert (times.probe, times.verdict) == ("soak-latency", Verdict.INCONCLUSIVE)


def test_an_interrupted_soak_that_has_found_nothing_decides_nothing_and_tells_what_it_saw() -> None:
    counts, _ = interrupted(CALM, CALM)

    assert counts.verdict is Verdict.INCONCLUSIVE
    assert counts.summary == (
        f"interrupted before it had an answer; until then: {2 * CALM.client.requests} requests in "
        "2 stretches: all connections came back"
    )


@pytest.fixture
def processes() -> Iterator[tuple[int, ...]]:
    """Five that wait for nothing, this one among them."""
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with ExitStack() as stack:
        others = [
            stack.enter_context(subprocess.Popen(waiting, stdin=subprocess.PIPE)) for _ in range(4)
        ]
        yield os.getpid(), *(each.pid for each in others)


def grown(window: LoadWindow, processes: Sequence[int]) -> list[str]:
    """What grows in stretches after each of which one process more has told something."""
    number = len(processes)
    ground = Recorded(
        Settings(),
        lambda _step: None,
        outside=OutsideTarget("http://127.0.0.1:1"),
        recorded=iter([window] * number),
        at_rest=iter([processes[:count] for count in range(1, number + 1)]),
    )
    held = Campaign(Project(Path(), Configuration(), {}), ground, [packaged("soak")])
    with pytest.raises(KeyboardInterrupt):
        held.run()
    return [item.label for item in held.outcomes["soak"].findings]


def test_processes_that_were_not_read_do_not_make_the_others_grow(
    processes: tuple[int, ...],
) -> None:
    silent = UnreadProcess(processes[-1], Reading.REST, "it timed out after 5 s")

    assert "threads" in grown(CALM, processes)
    assert grown(replace(CALM, unread=(silent,)), processes) == []
