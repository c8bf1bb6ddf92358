"""Slow readers of streams, more than there are connections: what is left for everybody else."""

from __future__ import annotations

from contextlib import ExitStack

from harness.campaign.drought.side import SideProbe, side_probe
from harness.campaign.drought.trials import Trial, cheapest, tried
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome
from harness.campaign.probes.streaming_routes import KnownRoutes, known_routes
from harness.campaign.probes.streaming_rows import serve_with_rows
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import Load
from harness.capture.traffic import Outcome as Answered
from harness.checks.load.held_stream import SideAnswers, SlowReading, held_stream
from harness.checks.load.judged import skipped
from harness.findings import Verdict
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice
from harness.report.load_content import Phase
from harness.rig.protocol import Serving
from harness.served import ServedApplication, Worker

__all__ = ["streaming"]

_POOL = PoolChoice(pool_size=2, max_overflow=0, pool_timeout=1.0)
_READERS = 6
"""Three for each connection of `_POOL`."""
_SECONDS, _SHORT_SECONDS = 12.0, 5.0
_TRIAL_SECONDS = 2.0
_MOST_TRIED = 8


def streaming(ground: Ground, scenario: Scenario) -> Outcome:
    """Load with slow readers, and ask beside them for what needs a connection for a moment.

    Raises:
        NotOursError: Nothing is known that streams, or nobody may look into the application.
    """
    ground.require_probe()
    # Asks routes, and so before the small pool is served: one that leaks would dry it.
    routes = _routes(ground, scenario)
    serving, rows = _served(ground, routes.streams)
    target = _target(ground, serving)
    cheap = cheapest(tried(target, routes.others[:_MOST_TRIED], seconds=_TRIAL_SECONDS))
    load = _load(ground.settings, routes.streams if scenario.is_planned else ())
    ground.tell(f"{load.users} readers take their time, for {load.seconds:g} s")
    reading = _read_slowly(ground, scenario, load, beside=cheap)
    judged = held_stream(reading)
    if judged.verdict.verdict is Verdict.SKIPPED and serving is not None:
        judged = skipped(judged.verdict.probe, f"{judged.verdict.summary}, {_with(rows)}")
    note = f"{load.users} readers that take up to a few seconds for a body"
    note += f"; {_with(rows)}" if rows else ""
    phases = (Phase("streaming", (reading.window,), note),)
    return Outcome((judged.verdict,), judged.findings, phases)


def _with(rows: int) -> str:
    return f"{rows or 'no'} rows added to every table"


def _routes(ground: Ground, scenario: Scenario) -> KnownRoutes:
    routes = known_routes(ground)
    if scenario.is_planned and not routes.streams:
        raise NotOursError(
            "no route of the plan streams: all tell the length of their answer beforehand",
            remedy="give --plan FILE with the streams",
        )
    return routes


def _load(settings: Settings, plan: Plan) -> Load:
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    return Load(settings.users or _READERS, seconds, plan=plan)


def _read_slowly(
    ground: Ground, scenario: Scenario, load: Load, *, beside: Trial | None
) -> SlowReading:
    """The load of readers, and what others are answered meanwhile."""
    answers, headers = None, ground.settings.headers
    with ExitStack() as stack:
        side = stack.enter_context(side_probe(ground.url, beside.path, headers)) if beside else None
        measured = ground.measured(scenario, load)
    if side is not None and beside is not None:
        answers = _answers(side, beside.route, since=measured.result.started_seconds)
    return SlowReading(measured.window, tuple(measured.result.tally.routes), answers)


def _served(ground: Ground, streams: Plan) -> tuple[Serving | None, int]:
    return serve_with_rows(ground, _POOL, streams) if ground.rig is not None else (None, 0)


def _target(ground: Ground, serving: Serving | None) -> ServedApplication:
    if serving is not None:
        return ServedApplication(
            serving.url, serving.token, serving.workers, headers=ground.settings.headers
        )
    # Of processes that share a port, whichever answers.
    workers, headers = (Worker(0, ground.url),), ground.settings.headers
    return ServedApplication(ground.url, ground.token, workers, headers=headers)


def _answers(side: SideProbe, route: str, *, since: float) -> SideAnswers:
    answers = [answer for answer in tuple(side.answers) if answer.started_seconds >= since]
    good = sum(answer.outcome is Answered.OK for answer in answers)
    slowest = max((answer.seconds for answer in answers), default=0.0)
    return SideAnswers(route, good, len(answers) - good, slowest)
