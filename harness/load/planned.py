"""Traffic for any application: which routes it requests is told by ``--plan``, or by OpenAPI.

A module of its own because each packaged scenario reads its plan alike: early, before the clock of
a run begins, and again where the web UI's form has named another host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from locust import events
from locust.env import Environment
from locust.exception import StopTest

from harness.errors import MisuseError
from harness.load.plan_file import read_plan
from harness.load.routes import Plan, plan_of
from harness.load.sending import document_behind
from harness.load.target import headers_sent

__all__ = ["Planned", "take_plan"]

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
            self.user.plan = _read(options.plan)
        elif host != self.host:
            self.user.plan = self._told_by(host, headers_sent(environment))
            self.host = host

    def _told_by(self, host: str, headers: Mapping[str, str]) -> Plan:
        try:
            plan = self.choose(document_behind(host, headers))
        except MisuseError as error:
            raise StopTest(f"{error.what}; {error.remedy}") from error
        if not plan:
            why = f"{host}/openapi.json has none that fits"
            raise StopTest(f"no routes to request: {why}; give --plan")
        return plan


def _read(file: str) -> Plan:
    """Anew for each run of the web UI: somebody may have edited it since it was checked."""
    try:
        return read_plan(Path(file))
    except MisuseError as error:
        raise StopTest(f"{error.what}; {error.remedy}") from error
