"""What a probe is asked to do: whose traffic, for how long, and towards what.

Values alone: they come from a command line, or from Locust's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from harness.load.routes import Plan

__all__ = ["Scenario", "Settings", "packaged"]

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


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user said."""

    host: str = ""
    """Load this; empty: serve the configured application."""
    token: str = field(default="", repr=False)
    """Opens the probe of `host`; empty if nobody knows one."""
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
    locust_options: tuple[str, ...] = ()
    """For each run of Locust."""


def packaged(probe: str) -> Scenario:
    """The packaged scenario of a probe, for an application that nobody wrote traffic for."""
    return Scenario(probe, files(_PACKAGE) / f"{probe}.py", is_planned=True)
