"""Whether a pool that was to run dry can, and did: one that was not says nothing of exhaustion.

A module of its own because good answers alone look the same in both cases. Before the load users
tell it, after the load what the pools have counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import ClassVar

from harness.capture.traffic import ExhaustionStory, Outcome
from harness.capture.windows import LoadWindow
from harness.errors import HarnessError
from harness.findings import ProbeVerdict, Verdict
from harness.report.quantities import counted

__all__ = ["NeverDryError", "judged_if_dry", "require_enough_users"]


class NeverDryError(HarnessError):
    """So few users cannot run a pool dry."""

    slug: ClassVar[str] = "never-dry"


def require_enough_users(users: int, *, capacity: int) -> None:
    """Make sure that somebody would find no connection.

    Args:
        users: As the user of the harness said.
        capacity: Connections of all processes together.

    Raises:
        NeverDryError: There is a connection for each of them.
    """
    if users <= capacity:
        raise NeverDryError(
            f"{counted(users, 'user')} cannot run a pool of {counted(capacity, 'connection')} dry: "
            f"give --users {capacity + 1} or more, or leave it out"
        )


def judged_if_dry(
    verdict: ProbeVerdict, story: ExhaustionStory, window: LoadWindow
) -> ProbeVerdict:
    """The verdict, unless all that it rests on is good answers of a pool that was never dry.

    One is dry while all of its connections are out. Where users are more than these, the others
    wait: at the pool, or in an application that lets no more of them in at once.

    Args:
        verdict: On the story.
        story: What became of the pool.
        window: Of the load: what the pools have counted.
    """
    is_unharmed = verdict.verdict in {Verdict.PASS, Verdict.WARN}
    is_answered = all(item.outcome is Outcome.OK for item in story.outcomes)
    if not (is_unharmed and is_answered) or _has_run_dry(story, window):
        return verdict
    remedy = (
        f"send more users than {story.users} (--users), or let more of them in at once"
        if story.has_served_while_dry
        else "request routes whose statements wait for a table (--plan)"
    )
    why = "the pool never ran dry: nobody is known to have waited for a connection"
    return replace(verdict, verdict=Verdict.INCONCLUSIVE, summary=f"{why}; {remedy}")


def _has_run_dry(story: ExhaustionStory, window: LoadWindow) -> bool:
    has_kept_waiting = any(pool.peak_waiting or pool.timeouts for pool in window.pools)
    return has_kept_waiting or (story.users > story.pool_capacity and _is_all_out(story, window))


def _is_all_out(story: ExhaustionStory, window: LoadWindow) -> bool:
    """Whether the small pool gave out all it had, in each process; others may be of any size."""
    out = Counter[str]()
    for pool in window.pools:
        if pool.capacity is not None and pool.peak_checked_out >= pool.capacity:
            out[pool.name] += pool.capacity
    return any(count >= story.pool_capacity for count in out.values())
