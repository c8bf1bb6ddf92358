"""Which way of counting is meant, and what it needs of the ground."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from harness.campaign.counting.counted import StatementCounter
from harness.campaign.counting.echo import EchoSource, no_such_log
from harness.campaign.counting.events import EventCounter
from harness.campaign.counting.server import ServerSource
from harness.campaign.counting.stepped import SteppedCounter
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.scenario import Settings
from harness.errors import MisuseError

__all__ = ["chosen_counter", "require_sense"]


def require_sense(settings: Settings) -> None:
    """Refuse what contradicts itself, before anything is started.

    Raises:
        MisuseError: It does.
    """
    if settings.echo_log is not None and (settings.count_by != "echo" or not settings.host):
        raise MisuseError(
            "--echo-log is the log of an application behind --host, for --count-by=echo",
            remedy="without --host the application is served with echo, and its log is known",
        )
    if settings.count_by == "echo" and settings.host and settings.echo_log is None:
        raise MisuseError(
            "--count-by=echo of an application behind --host needs its log",
            remedy="give --echo-log FILE: where its standard output is written",
        )
    if settings.echo_log is not None and not settings.echo_log.is_file():
        raise no_such_log(settings.echo_log)
    if settings.count_by != "events" and (settings.users or 1) > 1:
        raise MisuseError(
            f"--count-by={settings.count_by} with {settings.users} users: nobody could tell whose "
            "statements they are",
            remedy="leave --users out: one user sends one request at a time",
        )


def chosen_counter(ground: Ground, log: str, stack: ExitStack) -> StatementCounter:
    """What counts, as the settings say.

    Args:
        ground: What the probe stands on.
        log: Where the application that is served writes; empty where it is not ours.
        stack: Gives back what is taken for it.

    Raises:
        NotOursError: The server cannot be asked, or does not count.
    """
    settings = ground.settings
    if settings.count_by == "echo":
        return SteppedCounter(EchoSource(settings.echo_log or Path(log)))
    if settings.count_by == "server":
        rig = ground.required_rig("to ask its server what it ran")
        taken = stack.enter_context(rig.statements())
        if isinstance(taken, str):
            raise NotOursError(taken)
        return SteppedCounter(ServerSource(taken))
    return EventCounter()
