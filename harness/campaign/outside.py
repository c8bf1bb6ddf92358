"""A target that runs already: its routes, and its side of a window as far as it can be seen.

With the token of its probe the counts of its processes are read; without, only clients and machine
tell something.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.database.activity_samples import ActivityReading
from harness.errors import MisuseError
from harness.load.routes import Plan, plan_of
from harness.load.safety import is_this_machine
from harness.load.sending import NO_HEADERS, NO_PLAN, document_behind
from harness.rig.reading import STATUS_SECONDS
from harness.statuses import Told, told_by

__all__ = ["OutsideTarget", "plan_behind"]

_WHY_NO_SERVER = "its database is not ours to look into"


@dataclass(frozen=True, slots=True)
class OutsideTarget:
    """An application of which only address and perhaps the probe's token are known.

    It is the sides of its windows; see `harness.rig.reading.Sides`.
    """

    url: str
    token: str = field(default="", repr=False)

    def told(self) -> Told:
        """What its processes tell; nothing where there is no probe, or another token opens it."""
        return told_by(self.url, self.token, wait_seconds=STATUS_SECONDS)

    def participants(self, processes: Iterable[int]) -> Iterable[int]:
        """We ourselves, and its processes where these are processes of this machine."""
        return (os.getpid(), *(processes if is_this_machine(self.url) else ()))

    def begin_activity(self) -> None:
        """Nobody looks into its server."""

    def activity(self) -> ActivityReading:
        """Nothing, and why."""
        return ActivityReading(None, _WHY_NO_SERVER)


def plan_behind(url: str, headers: Mapping[str, str] = NO_HEADERS) -> Plan:
    """The routes of an application that need no value, as its OpenAPI document tells them.

    Args:
        url: Where it answers.
        headers: To send along.

    Raises:
        MisuseError: There is no such document, or nothing in it.
    """
    plan = plan_of(document_behind(url, headers))
    if not plan:
        raise MisuseError(
            f"no routes to request: {url}/openapi.json has no GET without a value",
            remedy=NO_PLAN,
        )
    return plan
