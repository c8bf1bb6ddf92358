"""A constant load for long, in stretches with a rest between: what is not as it was before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import psutil

from harness.campaign.ground import Ground, Slice
from harness.campaign.outcome import Outcome
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.capture.soaking import ProcessUse, SoakStretch
from harness.checks.load.drift import LATENCY_PROBE, drift, slowing
from harness.checks.load.figures import counted
from harness.checks.load.judged import Judged, cut_short, skipped
from harness.load.safety import is_this_machine
from harness.report.load_content import Phase

__all__ = ["soak"]

_USERS = 4
_SECONDS, _SHORT_SECONDS = 120.0, 10.0
"""Of all stretches together; each needs about two more to start and to come to rest."""
_STRETCHES, _SHORT_STRETCHES = 8, 5
_REST_SECONDS, _SHORT_REST_SECONDS = 3.0, 0.5
"""For connections that come back late. Clients have had their answers by then, all of them."""


def soak(ground: Ground, scenario: Scenario) -> Outcome:
    """Load in stretches, read what is left after each, and judge what grows."""
    settings = ground.settings
    if settings.is_short:  # a longer one also compares times, which clients tell
        ground.require_probe()
    users = settings.users or _USERS
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    number = _SHORT_STRETCHES if settings.is_short else _STRETCHES
    if ground.rig is not None:
        ground.serve()
    load = Load(users, seconds / number)
    rest_seconds = _SHORT_REST_SECONDS if settings.is_short else _REST_SECONDS
    stretches: list[SoakStretch] = []
    ground.so_far = partial(_judged, ground, stretches)
    for count in range(1, number + 1):
        ground.tell(f"{counted(users, 'user')} for {seconds / number:g} s, {count} of {number}")
        measured = ground.measured(scenario, load, rest_seconds=rest_seconds)
        stretches.append(_stretch(ground, measured))
        if not measured.window.client.ok:
            # Of an hour of this nobody learns more: the pool is dry, or no plan fits.
            ground.tell(f"nothing was answered well in stretch {count}: no further one")
            break
    return _judged(ground, stretches)


def _judged(ground: Ground, stretches: Sequence[SoakStretch], why: str = "") -> Outcome:
    """What there is to say of these stretches; of a soak that is cut short, if there is a `why`."""
    slower = _too_short() if ground.settings.is_short else slowing(stretches)
    both: Iterable[Judged] = (drift(stretches), slower)
    if why:
        both = [cut_short(judged, why) for judged in both]
    windows = tuple(ground.windows if why else (item.window for item in stretches))
    note = "the same load each time, at rest in between"
    return Outcome(
        verdicts=tuple(judged.verdict for judged in both),
        findings=tuple(finding for judged in both for finding in judged.findings),
        phases=(Phase("soak", windows, note),) if windows else (),
    )


def _too_short() -> Judged:
    return skipped(LATENCY_PROBE, "stretches of the short form are too short to compare times")


def _stretch(ground: Ground, measured: Slice) -> SoakStretch:
    statuses = measured.stretch.at_rest or measured.stretch.after
    pools = (pool for status in statuses.values() for pool in status["pools"])
    return SoakStretch(
        window=measured.window,
        checked_out=sum(pool["checked_out"] for pool in pools),
        # Whoever was not read is not in the sum, which would grow once it is read again.
        use=_use(statuses) if is_this_machine(ground.url) and not measured.window.unread else None,
    )


def _use(pids: Iterable[int]) -> ProcessUse | None:
    """What processes use at this moment; None where one has ended, or is not ours to look into."""
    memory_bytes = threads = open_files = 0
    known = tuple(pids)
    try:
        for pid in known:
            process = psutil.Process(pid)
            memory_bytes += process.memory_info().rss
            threads += process.num_threads()
            open_files += process.num_fds()
    except psutil.Error:
        return None
    return ProcessUse(memory_bytes, threads, open_files) if known else None
