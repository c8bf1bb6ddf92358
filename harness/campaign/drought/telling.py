"""What a drought looks like in a report, beside its story: what was done, and what others felt."""

from __future__ import annotations

from collections.abc import Iterator

from harness.campaign.drought.run import Dried
from harness.campaign.drought.story import Drought, answers_by_second
from harness.checks.exhaustion_limits import Backends, log_bytes_per_failure
from harness.report.load_content import Timeline
from harness.report.quantities import counted, duration
from harness.rig.limits import LONGEST_LOCK_SECONDS

__all__ = ["Names", "setting", "timeline"]

Names = tuple[str, str]
"""Of the routes beside the load: the one without a database, the one with."""


def setting(drought: Drought) -> str:
    """What is done, and by what the pool runs dry."""
    means = "all tables locked" if drought.is_locked else "by users alone"
    is_longest = drought.is_locked and drought.seconds >= LONGEST_LOCK_SECONDS
    where = f" on {drought.route}" if drought.route else ""
    against = f"against {counted(drought.capacity, 'connection')}"
    seconds = f"{duration(drought.seconds)}{' (the longest)' if is_longest else ''}"
    return f"{counted(drought.users, 'user')}{where} {against} for {seconds}, {means}"


def timeline(drought: Drought, dried: Dried, *, names: Names, backends: Backends) -> Timeline:
    """The drought as those saw it who only wanted a row, ten times a second."""
    story = dried.story
    recovered = story.recovery_seconds
    return Timeline(
        name="a cheap route beside the dry pool",
        probe="exhaustion",
        setting=f"{names[1]} ten times a second; {setting(drought)}",
        begins_seconds=story.blocked_from_seconds,
        ends_seconds=story.blocked_until_seconds,
        recovered_seconds=None if recovered is None else story.blocked_until_seconds + recovered,
        answers=answers_by_second(dried.beside, began_seconds=dried.began_seconds),
        facts=tuple(_facts(dried, names, backends)),
    )


def _facts(dried: Dried, names: Names, backends: Backends) -> Iterator[tuple[str, str]]:
    story, free = dried.story, dried.story.without_database
    if free is not None and free.count:
        yield f"{names[0]}, without a database: p99", duration(free.p99_seconds)
    if story.hold_seconds is not None:
        yield "a request holds connections for", duration(story.hold_seconds)
    if story.served_wait is not None:
        yield "longest wait of those served", duration(story.served_wait.max_seconds)
    logged = log_bytes_per_failure(story)
    if logged is not None:
        yield "log per failure", f"{logged / 1000:.1f} kB"
    if story.checked_out_at_rest is not None:
        yield "connections out at rest", str(story.checked_out_at_rest)
    yield "server processes at rest", f"{backends.count}, {backends.allowed} at most"
