"""What a run writes into the lock, and the line that tells it."""

from __future__ import annotations

from collections.abc import Callable

from harness.checks.regression import Change, compared
from harness.lock.counts import QueryLock
from harness.lock.file import updated
from harness.lock.merging import raised, replaced, tightened, with_new
from harness.pytest_plugin.lock_run import Seen
from harness.pytest_plugin.lock_settings import LockSettings, Mode
from harness.report.quantities import counted

__all__ = ["written"]

_DONE = {
    Change.NEW: "added",
    Change.REGRESSION: "raised",
    Change.IMPROVEMENT: "lowered",
    Change.GONE: "removed",
}


def written(settings: LockSettings, seen: Seen) -> str:
    """Change the file as the mode says, and tell what was done; empty where nothing was.

    Two runs at once lose nothing: each changes what it finds at its turn.

    Raises:
        LockError: If it cannot be read or written.
    """
    change = _changer(settings.mode, is_complete=not seen.gaps)
    gaps = ", ".join(seen.gaps)
    if change is None:
        return f"nothing was tightened: {gaps}" if settings.mode is Mode.TIGHTEN else ""
    if not seen.observed.counts.dialects:
        return ""
    told = _told(settings, change, seen.observed.counts)
    if settings.mode is Mode.UPDATE and gaps:
        return f"{told}; nothing was lowered or removed: {gaps}"
    return "" if settings.mode is Mode.CREATE and not told else told


def _changer(
    mode: Mode, *, is_complete: bool
) -> Callable[[QueryLock, QueryLock], QueryLock] | None:
    if mode is Mode.CREATE:
        return with_new
    if mode is Mode.UPDATE:
        return replaced if is_complete else raised
    return tightened if mode is Mode.TIGHTEN and is_complete else None


def _told(
    settings: LockSettings, change: Callable[[QueryLock, QueryLock], QueryLock], seen: QueryLock
) -> str:
    found: list[QueryLock] = []

    def changed(lock: QueryLock) -> QueryLock:
        found.append(lock)
        return change(lock, seen)

    after = updated(settings.path, changed)
    changes = [each.change for each in compared(found[0], after)]
    done = [
        f"{counted(changes.count(kind), 'endpoint')} {word}"
        for kind, word in _DONE.items()
        if kind in changes
    ]
    if not done:
        return "" if settings.mode is Mode.CREATE else f"{settings.path.name} is as it should be"
    return f"{settings.path.name}: {', '.join(done)}"
