"""What is said of a probe beyond its own answer: what it stood on, and what the log told meanwhile.

Apart from the probes, because each of them would have to say it, and from the campaign, which says
when they are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.checks.load import empty_tables
from harness.findings import ProbeVerdict, Verdict

__all__ = ["on_empty_tables", "with_caveat", "with_exception"]

_BAD = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE})


def on_empty_tables(ground: Ground) -> Iterator[Outcome]:
    """Once for all probes that were held on an empty database; nothing where none was."""
    held = ground.empty_tables
    if held:
        judged = empty_tables.on_empty_tables(max(held.values()), tuple(held))
        yield Outcome((judged.verdict,), judged.findings)


def with_caveat(outcome: Outcome) -> Outcome:
    """What a probe on an empty database recommends, with that reservation."""
    told = outcome.recommendation
    if told is None:
        return outcome
    caveat = empty_tables.with_caveat(told)
    verdicts = (
        replace(item, verdict=caveat.verdict, summary=caveat.summary)
        if (item.verdict, item.summary) == (told.verdict, told.summary)
        else item
        for item in outcome.verdicts
    )
    return replace(outcome, verdicts=tuple(verdicts), recommendation=caveat)


def with_exception(outcome: Outcome, raised: str) -> Outcome:
    """The first bad verdict of a probe says what the application raised.

    Args:
        outcome: Of a probe that brings no errors about.
        raised: The exception in one line; empty where there is none.
    """
    verdicts = list(outcome.verdicts)
    bad = next((at for at, item in enumerate(verdicts) if item.verdict in _BAD), None)
    if not raised or bad is None:
        return outcome
    told = verdicts[bad]
    summary = f"{told.summary}; the application raised {raised}"
    verdicts[bad] = ProbeVerdict(told.probe, told.verdict, summary)
    return replace(outcome, verdicts=tuple(verdicts))
