"""Requests of clients that are a test's own: ``TestClient(app)``, ``ASGITransport(app)``, a server.

They call the application itself and no fixture of ours, so the application is followed: from when
the harness loads it, or, where a conftest or a test module has imported it, from the first test on
that counts statements. Without the latter the request that starts everything would be nobody's.
"""

from __future__ import annotations

import inspect
import sys

from harness.capture.tracking import RequestTracker

__all__ = ["follow_if_imported"]


def follow_if_imported(tracker: RequestTracker, target: str | None) -> None:
    """Follow the configured application if somebody has imported it; imports nothing.

    Args:
        tracker: Tells of its requests.
        target: As configured: ``"shop.main:app"``.
    """
    module, _, name = (target or "").partition(":")
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    is_factory = inspect.isroutine(found) or inspect.isclass(found)
    if callable(found) and not is_factory:
        tracker.follow(found)
