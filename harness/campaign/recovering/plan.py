"""Which troubles there are, in which order, and how long each stretch of load is.

Values and arithmetic alone. The stretch has three parts: before, so that there is something to
compare with; the trouble; and the watch afterwards, which is longer than the waits that the
application may still be in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.campaign.scenario import Settings

__all__ = ["Form", "Trouble", "form_of"]

_USERS = 8
_SECONDS, _SHORT_SECONDS = 15.0, 6.0
_BEFORE_SHARE, _TROUBLE_SHARE = 0.25, 0.15
_TIMEOUT_SHARE = 0.15
_SHORTEST_TIMEOUT_SECONDS = 0.5
_DELAY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that happens to the database while the load goes on."""

    probe: str
    """Name of its verdict."""
    name: str
    """In words."""
    what: str
    """What the rig calls it; see `harness.rig.troubles`."""
    setting: str
    """What is done, in one line."""
    options: Mapping[str, object] = field(default_factory=dict)
    is_lasting: bool = False
    """Whether it goes on until it is ended."""
    leaves_stale: bool = True
    """Whether pools may keep connections that are dead."""
    making_seconds: float = 0.0
    """What it takes to bring it about, for which the load goes on longer."""


@dataclass(frozen=True, slots=True)
class Form:
    """How all of it is held."""

    users: int
    seconds: float
    """Of each stretch of load."""
    pool_timeout_seconds: float
    """With which the application is served, so that one can watch to the end of every wait."""
    troubles: tuple[Trouble, ...]

    @property
    def before_seconds(self) -> float:
        """From the begin of the load to that of the trouble."""
        return self.seconds * _BEFORE_SHARE

    @property
    def trouble_seconds(self) -> float:
        """How long a lasting trouble lasts."""
        return self.seconds * _TROUBLE_SHARE


def form_of(settings: Settings) -> Form:
    """What the user's settings come to; the short form leaves out two troubles."""
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    down = round(seconds * _TROUBLE_SHARE / 2, 2)
    troubles = [*_ended(down), *([] if settings.is_short else [_crash(down)])]
    troubles += [*_network(silent=not settings.is_short), _FULL]
    return Form(
        users=settings.users or _USERS,
        seconds=seconds,
        pool_timeout_seconds=max(_SHORTEST_TIMEOUT_SECONDS, round(seconds * _TIMEOUT_SHARE, 1)),
        troubles=tuple(troubles),
    )


def _ended(down_seconds: float) -> tuple[Trouble, ...]:
    return (
        Trouble(
            "recovery-killed",
            "backends killed",
            "backends-killed",
            "pg_terminate_backend for all connections of the application",
        ),
        Trouble(
            "recovery-restart",
            "server restarted",
            "server-restarted",
            f"PostgreSQL stopped (fast), and started again {down_seconds:g} s later",
            {"how": "fast", "down_seconds": down_seconds},
        ),
    )


def _crash(down_seconds: float) -> Trouble:
    return Trouble(
        "recovery-crash",
        "server crashed",
        "server-restarted",
        f"PostgreSQL stopped (immediate), and started again {down_seconds:g} s later",
        {"how": "immediate", "down_seconds": down_seconds},
    )


def _network(*, silent: bool) -> tuple[Trouble, ...]:
    cut = Trouble(
        "recovery-cut",
        "network cut",
        "network",
        "all connections to the server reset, new ones refused",
        {"existing": "reset", "new": "reset"},
        is_lasting=True,
    )
    dropping = Trouble(
        "recovery-silent",
        "network silent",
        "network",
        "no packet arrives, and nobody says so",
        {"existing": "silent", "new": "silent"},
        is_lasting=True,
    )
    slow = Trouble(
        "recovery-slow",
        "network slow",
        "network",
        f"{_DELAY_SECONDS * 1000:g} to {2 * _DELAY_SECONDS * 1000:g} ms later in each direction",
        {"delay_seconds": _DELAY_SECONDS, "jitter_seconds": _DELAY_SECONDS},
        is_lasting=True,
        leaves_stale=False,
    )
    return (cut, dropping, slow) if silent else (cut, slow)


_FULL = Trouble(
    "recovery-full",
    "max_connections reached",
    "connections-taken",
    "the application's connections ended, and all of the server's taken by others",
    {"with_theirs": True},
    is_lasting=True,
    leaves_stale=False,
    making_seconds=1.0,
)
