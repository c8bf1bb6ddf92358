"""What a pool that runs dry does to the clients, and whether the application finds its way back.

The classes: *queues* (everybody waits and is served), *sheds* (503, the client may come again),
*errors* (another 5xx: the client cannot tell it from a bug), *hangs* (no answer), *stalls* (what
needs no database waits too), *leaks* (connections do not come back), *collapses* (does not recover
while watched). What fails is counted, or longer by an order of magnitude; times that a busy machine
stretches warn (`exhaustion_limits.py`), and are not looked at where the machine was busy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome
from harness.checks.exhaustion_limits import Backends, backends_left, exceeded, is_coupled
from harness.findings import ProbeVerdict, Verdict

__all__ = ["exhaustion"]

_FEWEST_REQUESTS = 10
_EDGE_SHARE = 0.1
"""Of the block, before its end: it is noted after the server has let go, and answers may come in
between."""


def exhaustion(
    story: ExhaustionStory, *, noise: str = "", backends: Backends | None = None
) -> ProbeVerdict:
    """Judge the exhaustion step.

    Args:
        story: What happened.
        noise: Why times mean nothing, e.g. what else ran on the machine; empty if they do.
        backends: What was left at the server; None where nobody looked.
    """
    affected = [
        item
        for item in story.outcomes
        if item.offset_seconds + item.seconds > story.blocked_from_seconds
        and item.offset_seconds < story.blocked_until_seconds
    ]
    counts = Counter(item.outcome for item in affected)
    seen = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    if len(affected) < _FEWEST_REQUESTS and not _has_done_harm(story, counts):
        return _verdict(
            Verdict.INCONCLUSIVE,
            f"only {len(affected)} requests met {_what(story)}, {_FEWEST_REQUESTS} needed",
        )
    told = f"{seen}; {_way_back(story)}"
    if failure := _failure(story, counts):
        return _verdict(Verdict.FAIL, failure.format(told=told))
    if passed := _answered_while_locked(story, affected):
        why = f"{passed} were answered while all tables were locked: their statements touch none"
        return _verdict(Verdict.INCONCLUSIVE, why)
    word = "sheds" if counts[Outcome.SHED] else "queues"
    limits = list(backends_left(backends))
    limits += [] if noise else exceeded(story, affected)
    unsure = [f"times are not judged: {noise}"] if noise else []
    verdict = Verdict.WARN if limits else Verdict.PASS
    return _verdict(verdict, "; ".join([f"{word}: {told}", *limits, *unsure]))


def _answered_while_locked(story: ExhaustionStory, affected: Sequence[RequestOutcome]) -> int:
    """Good answers that no lock held up, where they are most: then the pool was never dry.

    Where some routes touch tables and others do not, some of these are answered before the others
    have taken all connections. From then on nobody is.
    """
    if story.has_served_while_dry:
        return 0
    seconds = story.blocked_until_seconds - story.blocked_from_seconds
    until_seconds = story.blocked_until_seconds - _EDGE_SHARE * seconds
    passed = sum(
        item.outcome is Outcome.OK
        and item.offset_seconds >= story.blocked_from_seconds
        and item.offset_seconds + item.seconds <= until_seconds
        for item in affected
    )
    return passed if passed > max(story.pool_capacity, len(affected) - passed) else 0


def _has_done_harm(story: ExhaustionStory, counts: Counter[Outcome]) -> bool:
    """Whether there is harm that one request shows as well as many: where all hang, there are few.

    That nobody was answered well afterwards may be for want of requests.
    """
    is_harmed = counts[Outcome.HANG] or counts[Outcome.ERROR]
    return bool(story.checked_out_at_rest or is_coupled(story) or is_harmed)


def _failure(story: ExhaustionStory, counts: Counter[Outcome]) -> str:
    """The class of an application that did harm, with room for what was seen; empty for none.

    Leaks come first, then stalls: a pool without connections, or a loop that stands still, answers
    nobody, whatever else happens.
    """
    if story.checked_out_at_rest:
        ending = "" if story.checked_out_at_rest == 1 else "s"
        out = f"{story.checked_out_at_rest} connection{ending}"
        return f"leaks: {out} did not come back; {{told}}"
    if is_coupled(story):
        return "stalls: routes without a database waited too; {told}"
    if story.recovery_seconds is None:
        return "collapses: {told}"
    if counts[Outcome.HANG]:
        return "hangs: {told}"
    if counts[Outcome.ERROR]:
        return "errors: {told}; answer 503 with Retry-After"
    return ""


def _what(story: ExhaustionStory) -> str:
    return "the dry pool" if story.has_served_while_dry else "the blocked database"


def _way_back(story: ExhaustionStory) -> str:
    end = "load" if story.has_served_while_dry else "block"
    if story.recovery_seconds is None:
        return f"no five good answers in a row after the {end}"
    seconds = f"{story.recovery_seconds:.1f} s"
    return f"back {'at once' if seconds == '0.0 s' else seconds} after the {end}"


def _verdict(verdict: Verdict, summary: str) -> ProbeVerdict:
    return ProbeVerdict(probe="exhaustion", verdict=verdict, summary=summary)
