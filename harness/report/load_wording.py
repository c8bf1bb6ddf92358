"""Sentences about a finished load run that the terminal and the page share.

Kept apart from both renderers so that they cannot come to say different things about one run.
"""

from __future__ import annotations

from harness.capture.traffic import Outcome as Ending
from harness.checks.load.classification import Outcome
from harness.checks.load.pool_sizing import Recommendation
from harness.checks.load.sizing_curve import SizePoint
from harness.findings import Finding, ProbeVerdict, Verdict
from harness.report.load_content import LoadReport, Phase, Timeline
from harness.report.quantities import counted, duration, grouped, plain

__all__ = [
    "answer_counts",
    "bounds_text",
    "cause_evidence",
    "cause_text",
    "curve_note",
    "fleet_text",
    "has_size",
    "interval_text",
    "law_text",
    "load_headline",
    "phase_failures",
    "phase_load",
    "point_marks",
    "rate_range",
    "reasons_text",
    "settings_text",
    "sizing_marks",
    "timeline_verdict",
    "way_back",
]


def load_headline(report: LoadReport) -> str:
    """The counts behind the overall verdict, in one line."""
    verdicts = [item.verdict for item in report.probes]
    told = [f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts]
    found = f"{len(report.judgement.open)} open, {len(report.judgement.accepted)} accepted"
    return f"{counted(len(verdicts), 'probe')}: {', '.join(told) or 'none'}; findings: {found}"


def has_size(told: Recommendation) -> bool:
    """Whether there is something to set; a size that is only the least of those is not."""
    return told.pool_size is not None and told.verdict in {Verdict.PASS, Verdict.WARN}


def settings_text(told: Recommendation) -> str:
    """What to set, ready to paste into ``create_engine``; else why there is nothing to set."""
    if has_size(told):
        return f"pool_size={told.pool_size}, max_overflow={told.max_overflow}"
    return told.summary


def interval_text(told: Recommendation) -> str:
    """The sizes that the rounds give, each for itself; empty where there are none."""
    if told.low is None:
        return ""
    rounds = min((point.rounds for point in told.curve), default=0)
    span = f"{told.low} to {told.high}" if told.high is not None else f"{told.low} or more"
    if told.low == told.high:
        span = f"{told.low} in each"
    return f"{span}, over {counted(rounds, 'round')}"


def reasons_text(told: Recommendation) -> tuple[str, ...]:
    """Why this size; the fleet's arithmetic, which `fleet_text` tells, is left out."""
    return tuple(reason for reason in told.reasons if str(told.fleet) not in reason)


def fleet_text(told: Recommendation) -> str:
    """What the server has for each process, and what all of them come to; empty if not known."""
    fleet = told.fleet
    if fleet is None:
        return ""
    line = f"{fleet} connections for each process at most"
    if not has_size(told):
        return line
    most = (told.pool_size or 0) + (told.max_overflow or 0)
    return f"{line}; {most} x {fleet.pools:g} pools are {most * fleet.pools:.0f} of all"


def bounds_text(told: Recommendation) -> str:
    """The model that the need is taken from; empty where nobody measured a request alone."""
    bounds = told.bounds
    if bounds is None:
        return ""
    return (
        f"min(connections / {duration(bounds.hold_seconds)}, 1 / {duration(bounds.cpu_seconds)}) "
        "requests a second are the most of one process: what a request holds a connection for, "
        "and its CPU, both without load"
    )


def law_text(told: Recommendation) -> str:
    """The universal scalability law that describes the curve; empty where none does."""
    law = told.law
    if law is None:
        return ""
    return (
        f"contention {law.contention:.3f}, coherence {law.coherence:.5f}, R\u00b2 {law.fit:.2f}: "
        "a description of the curve, no forecast"
    )


def point_marks(told: Recommendation, point: SizePoint) -> str:
    """What is special about a size of the curve."""
    marks = ["knee"] if point.size == told.knee else []
    if has_size(told) and point.size == told.pool_size:
        marks.append("recommended")
    return ", ".join(marks)


def curve_note(told: Recommendation) -> str:
    """How the curve is to be read where no answer rests on it; empty elsewhere."""
    return "measured, not judged" if told.curve and told.bounds is None else ""


def sizing_marks(told: Recommendation) -> str:
    """What is marked in the picture of the curve."""
    if note := curve_note(told):
        return note
    marks = [f"the knee is at {told.knee}"] if told.knee is not None else []
    if has_size(told):
        marks.append(f"the recommended pool_size is {told.pool_size}")
    return " and ".join(marks) or "throughput has no knee, and no size is recommended"


def rate_range(point: SizePoint) -> str:
    """The lowest and the highest rate of the rounds."""
    return f"{plain(point.lowest_rate)}\u2013{plain(point.highest_rate)}"


def cause_text(report: LoadReport) -> str:
    """The cause of slow requests, or why none is named, in one sentence."""
    told = report.classification
    if told is None:
        return ""
    if told.outcome is Outcome.EXPLAINED:
        return f"{told.cause}: {told.reason}"
    start = "" if told.outcome is Outcome.NOTHING_IS_SLOW else "not known: "
    return f"{start}{told.reason}"


def cause_evidence(report: LoadReport) -> Finding | None:
    """The finding that is the cause."""
    told = report.classification
    if told is None or told.outcome is not Outcome.EXPLAINED:
        return None
    return next(iter(told.findings), None)


def timeline_verdict(report: LoadReport, timeline: Timeline) -> ProbeVerdict | None:
    """The verdict that a timeline is behind."""
    named = (item for item in report.probes if item.probe == timeline.probe)
    return next(named, None)


def way_back(timeline: Timeline) -> str:
    """When the trouble was, and whether the application came back."""
    span = f"from {duration(timeline.begins_seconds)} to {duration(timeline.ends_seconds)}"
    if timeline.recovered_seconds is None:
        return f"{span}; not recovered while watched"
    after = max(timeline.recovered_seconds - timeline.ends_seconds, 0.0)
    return f"{span}; recovered {duration(after)} after its end"


def answer_counts(timeline: Timeline) -> str:
    """All answers of a timeline by outcome, in one line."""
    sums = {each: sum(item.count(each) for item in timeline.answers) for each in Ending}
    told = [f"{grouped(number)} {ending}" for ending, number in sums.items() if number]
    return ", ".join(told) or "no answer"


def phase_load(phase: Phase) -> str:
    """How many users there were, or at which rate they arrived."""
    users = sorted({window.client.users for window in phase.windows})
    if not users:
        return "-"
    return grouped(users[0]) if len(users) == 1 else f"{grouped(users[0])}\u2013{users[-1]:,}"


def phase_failures(phase: Phase) -> int:
    """Requests of a phase without a good answer."""
    clients = [window.client for window in phase.windows]
    return sum(client.requests - client.ok for client in clients)
