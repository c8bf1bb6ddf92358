"""What a pool that runs dry does to the clients, and whether the application finds its way back.

The classes: *queues* (everybody waits and is served), *sheds* (503, the client may come again),
*errors* (another 5xx: the client cannot tell it from a bug), *hangs* (no answer), *collapses* (does
not recover while watched). Only counts decide; times are reported, since a busy machine stretches
them.
"""

from __future__ import annotations

from collections import Counter

from harness.capture.traffic import ExhaustionStory, Outcome
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
    back = f"back {story.recovery_seconds:.1f} s after the block"
    if counts[Outcome.HANG]:
        return _verdict(Verdict.FAIL, f"hangs: {seen}; {back}")
    if counts[Outcome.ERROR]:
        return _verdict(Verdict.FAIL, f"errors: {seen}; answer 503 with Retry-After; {back}")
    word = "sheds" if counts[Outcome.SHED] else "queues"
    return _verdict(Verdict.PASS, f"{word}: {seen}; {back}")


def _verdict(verdict: Verdict, summary: str) -> ProbeVerdict:
    return ProbeVerdict(probe="exhaustion", verdict=verdict, summary=summary)
