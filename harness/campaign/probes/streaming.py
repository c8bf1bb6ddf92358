"""Slow readers of streams, more than there are connections: what is left for everybody else."""

from __future__ import annotations

from contextlib import ExitStack

from harness.campaign.drought.side import SideProbe, side_probe
from harness.campaign.drought.trials import cheapest, tried
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome
from harness.campaign.outside import document_behind
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.capture.traffic import Outcome as Answered
from harness.checks.load.held_stream import SideAnswers, SlowReading, held_stream
from harness.errors import MisuseError
from harness.load.routes import Plan, plan_of
from harness.load.streams import answers_json, streams_of
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
        NotOursError: Nothing is known that streams.
    """
    settings = ground.settings
    serving = ground.serve(_POOL) if ground.rig is not None else None
    streams, others = _plans(ground)
    if scenario.is_planned and not streams:
        raise NotOursError(
            "no route of the plan streams: all answer JSON, as its OpenAPI document says",
            remedy="give --plan FILE with the streams",
        )
    users = settings.users or _READERS
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    cheap = cheapest(tried(_target(ground, serving), others[:_MOST_TRIED], seconds=_TRIAL_SECONDS))
    ground.tell(f"{users} readers take their time, for {seconds:g} s")
    load = Load(users, seconds, plan=streams if scenario.is_planned else ())
    with ExitStack() as stack:
        side = stack.enter_context(side_probe(ground.url, cheap.path)) if cheap else None
        measured = ground.measured(scenario, load)
    reading = SlowReading(
        window=measured.window,
        streams=tuple(measured.result.tally.routes),
        beside=_answers(side, cheap.route, since=measured.result.started_seconds)
        if side is not None and cheap is not None
        else None,
    )
    judged = held_stream(reading)
    note = f"{users} readers that take up to a few seconds for a body"
    phases = (Phase("streaming", (measured.window,), note),)
    return Outcome((judged.verdict,), judged.findings, phases)


def _plans(ground: Ground) -> tuple[Plan, Plan]:
    """What streams, and what does not: of the user's own plan, or of what OpenAPI tells."""
    try:
        document = document_behind(ground.url)
    except MisuseError:
        return ground.settings.plan, ()
    others = tuple(each for each in plan_of(document) if answers_json(each[0], document))
    if not ground.settings.plan:
        return streams_of(document), others
    own = (each for each in ground.settings.plan if not answers_json(each[0], document))
    return tuple(own), others


def _target(ground: Ground, serving: Serving | None) -> ServedApplication:
    if serving is not None:
        return ServedApplication(serving.url, serving.token, serving.workers)
    # Of processes that share a port, whichever answers.
    workers = (Worker(0, ground.url),) if ground.token else ()
    return ServedApplication(ground.url, ground.token, workers)


def _answers(side: SideProbe, route: str, *, since: float) -> SideAnswers:
    answers = [answer for answer in tuple(side.answers) if answer.started_seconds >= since]
    good = sum(answer.outcome is Answered.OK for answer in answers)
    slowest = max((answer.seconds for answer in answers), default=0.0)
    return SideAnswers(route, good, len(answers) - good, slowest)
