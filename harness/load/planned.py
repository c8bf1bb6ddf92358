"""Traffic for any application: which routes it requests is told by ``--plan``, or by OpenAPI.

A module of its own because each packaged scenario reads its plan alike: early, before the clock of
a run begins, and again where the web UI's form has named another host.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.error import URLError
from urllib.request import urlopen

from locust import events
from locust.env import Environment
from locust.exception import StopTest

from harness.load.routes import Plan, plan_of

__all__ = ["Planned", "take_plan"]

_ANSWER_SECONDS = 10.0
_UNKNOWN = "unknown"

Choose = Callable[[Mapping[str, Any]], Plan]


class Planned(Protocol):
    """A class of users that requests what stands in its plan."""

    plan: ClassVar[Plan]


def take_plan(user: type[Planned], *, choose: Choose = plan_of) -> None:
    """Fill a class's plan before its users start.

    Args:
        user: The class.
        choose: What it requests of an OpenAPI document, where no plan is given.
    """
    taking = _Taking(user, choose)
    events.init.add_listener(taking.early)
    events.test_start.add_listener(taking.take)


@dataclass(slots=True, eq=False)
class _Taking:
    user: type[Planned]
    choose: Choose
    host: str = _UNKNOWN
    """Whose routes the plan has."""

    def early(self, environment: Environment, **_: object) -> None:
        with suppress(StopTest):  # whoever knows no host yet cannot
            self.take(environment)

    def take(self, environment: Environment, **_: object) -> None:
        options, host = environment.parsed_options, environment.host or ""
        if options is not None and options.plan:
            rows = json.loads(Path(options.plan).read_text(encoding="utf-8"))
            self.user.plan = tuple((row[0], row[1]) for row in rows)
        elif host != self.host:
            self.user.plan = self._told_by(host)
            self.host = host

    def _told_by(self, host: str) -> Plan:
        url = f"{host.rstrip('/')}/openapi.json"
        try:
            with urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - the target, which is loaded anyway
                plan = self.choose(json.load(answer))
        except (URLError, OSError, ValueError) as error:
            why = f"{url} cannot be read ({error})"
            raise StopTest(f"no routes to request: {why}; give --plan") from error
        if not plan:
            raise StopTest(f"no routes to request: {url} has none that fits; give --plan")
        return plan
