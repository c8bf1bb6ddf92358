"""What a probe is asked to do: whose traffic, for how long, and towards what.

Values alone: they come from a command line, or from Locust's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from harness.errors import MisuseError
from harness.load.routes import Plan

__all__ = ["CountBy", "Scenario", "Settings", "packaged", "scenarios_from"]

CountBy = Literal["events", "server", "echo"]
_PACKAGE = "harness.load.scenarios"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Traffic, and the probe that is held with it."""

    probe: str
    """Key of `harness.campaign.probes.PROBES`."""
    file: Path | Traversable
    """Locust's file."""
    user: str = ""
    """The class in it; empty for all of them."""
    is_planned: bool = False
    """Whether it requests whatever ``--plan`` says, as the packaged ones do; others know their
    routes themselves."""
    beside: tuple[tuple[Path, str], ...] = ()
    """Further classes that load along, each with its file: several may be for one probe."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user said."""

    host: str = ""
    """Load this; empty: serve the configured application."""
    token: str = field(default="", repr=False)
    """Opens the probe of `host`; empty if nobody knows one."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """To send with each request to the application, but for those to its probe."""
    is_owned_target: bool = False
    """Whether a host that is not this machine is the user's to load."""
    users: int | None = None
    """None: as many as the probe needs."""
    seconds: float | None = None
    """Of each stretch of load; None: as long as the probe needs."""
    is_short: bool = False
    """The short form, for CI: fewer and shorter stretches."""
    workers: int = 1
    """Processes that serve the application."""
    plan: Plan = ()
    """What planned traffic requests; empty: what OpenAPI tells."""
    count_by: CountBy = "events"
    """Who counts the statements of the probe `n_plus_one`."""
    echo_log: Path | None = None
    """Where the echo log of `host` is written."""
    locust_options: tuple[str, ...] = ()
    """For each run of Locust."""
    sizes: tuple[int, ...] = ()
    """Pool sizes to try; empty: those around the place where the load stops to rise."""
    target_rate: float | None = None
    """Requests a second that all replicas together have to serve; None: as many as they can."""
    replicas: int = 1
    """Machines, or pods, that run the application with `workers` processes each."""
    surge: float = 2.0
    """Replicas while a deployment rolls over those that are planned; see `Fleet`."""


def packaged(probe: str) -> Scenario:
    """The packaged scenario of a probe, for an application that nobody wrote traffic for."""
    return Scenario(probe, files(_PACKAGE) / f"{probe}.py", is_planned=True)


def scenarios_from(text: str, *, probes: Collection[str]) -> list[Scenario]:
    """Scenarios of the user's own, one for each probe that has traffic, in the order of the probes.

    Args:
        text: A JSON list with an object for each class: ``probe``, ``file``, ``user`` and
            ``is_planned``.
        probes: All that there are.

    Raises:
        MisuseError: A class is for a probe that does not exist, or there is none.
    """
    found: dict[str, Scenario] = {}
    for row in json.loads(text):
        probe, file, user = row["probe"], Path(row["file"]), row["user"]
        if probe not in probes:
            raise MisuseError(
                f"{user} is for a probe {probe!r}, which is not one of {', '.join(probes)}",
                where=str(file),
                remedy=f"set the attribute `probe` of {user}, or leave it out",
            )
        if probe not in found:
            found[probe] = Scenario(probe, file, user, is_planned=row["is_planned"])
        else:
            first = found[probe]
            found[probe] = replace(first, beside=(*first.beside, (file, user)))
    if not found:
        remedy = "subclass harness.load.users.HarnessUser, or give -u and -t for an ordinary run"
        raise MisuseError("no class to hold a probe with", remedy=remedy)
    return [found[probe] for probe in probes if probe in found]
