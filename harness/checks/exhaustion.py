"""What a pool that runs dry does to the clients, and whether the application finds its way back.

The classes: *queues* (everybody waits and is served), *sheds* (503, the client may come again),
*errors* (another 5xx: the client cannot tell it from a bug), *hangs* (no answer), *stalls* (what
needs no database waits too), *leaks* (connections do not come back), *collapses* (does not recover
while watched). What fails is counted, or longer by an order of magnitude; times that a busy machine
stretches warn (`exhaustion_limits.py`).
"""

from __future__ import annotations

from collections import Counter

from harness.capture.traffic import ExhaustionStory, Outcome
from harness.checks.exhaustion_limits import exceeded, is_coupled
from harness.findings import ProbeVerdict, Verdict

__all__ = ["exhaustion"]

_FEWEST_REQUESTS = 10


def exhaustion(story: ExhaustionStory) -> ProbeVerdict:
    """Judge the exhaustion step."""
    affected = [
        item
        for item in story.outcomes
        if item.offset_seconds + item.seconds > story.blocked_from_seconds
        and item.offset_seconds < story.blocked_until_seconds
    ]
    counts = Counter(item.outcome for item in affected)
    seen = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    if len(affected) < _FEWEST_REQUESTS:
        return _verdict(
            Verdict.INCONCLUSIVE,
            f"only {len(affected)} requests met the blocked database, {_FEWEST_REQUESTS} needed",
        )
    if story.recovery_seconds is None:
        return _verdict(Verdict.FAIL, f"collapses: not one good answer after the block ({seen})")
    told = f"{seen}; back {story.recovery_seconds:.1f} s after the block"
    if failure := _failure(story, counts, told):
        return _verdict(Verdict.FAIL, failure)
    word = "sheds" if counts[Outcome.SHED] else "queues"
    limits = list(exceeded(story, affected))
    verdict = Verdict.WARN if limits else Verdict.PASS
    return _verdict(verdict, "; ".join([f"{word}: {told}", *limits]))


def _failure(story: ExhaustionStory, counts: Counter[Outcome], told: str) -> str:
    """The class of an application that came back but did harm meanwhile; empty for none."""
    if counts[Outcome.HANG]:
        return f"hangs: {told}"
    if counts[Outcome.ERROR]:
        return f"errors: {told}; answer 503 with Retry-After"
    if is_coupled(story):
        return f"stalls: routes without a database waited too; {told}"
    if story.checked_out_at_rest:
        ending = "" if story.checked_out_at_rest == 1 else "s"
        out = f"{story.checked_out_at_rest} connection{ending}"
        return f"leaks: {out} did not come back; {told}"
    return ""


def _verdict(verdict: Verdict, summary: str) -> ProbeVerdict:
    return ProbeVerdict(probe="exhaustion", verdict=verdict, summary=summary)
