"""A headless run that says neither how many users nor how long is a campaign: handed over here.

Locust patches the process that it is in, so the probes are held by another one. This process
becomes that one, by exec: same terminal, same Ctrl-C, same exit code, and nobody in between who
would have to pass them on.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil
from locust import User
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.errors import MisuseError
from harness.load.options import HANDED_ON
from harness.load.sending_headers import VARIABLE, as_variable, headers_said
from harness.load.session import say

__all__ = ["choose_steady_mix", "hand_over", "is_campaign"]

_STEADY = "browse"
_OF_ONE_RUN = ("result", "keep_requests", "arrival_rate", "warm_up")
_PACKAGE = Path(__file__).parent


def is_campaign(environment: Environment) -> bool:
    """Whether nothing was said of how much load there shall be, and nobody is there to ask."""
    options = environment.parsed_options
    if options is None or not options.headless or isinstance(environment.runner, WorkerRunner):
        return False
    is_sized = options.num_users is not None or options.run_time is not None
    return not is_sized and environment.shape_class is None


def choose_steady_mix(environment: Environment) -> None:
    """Where nobody has chosen classes, load with those of the steady mix, if there are any.

    Users of the other probes leave early, read slowly, or write: mixed they tell nothing.
    """
    options = environment.parsed_options
    if options is None or not options.headless or options.user_classes or options.announce:
        return
    steady = [each for each in environment.user_classes if _probe_of(each) == _STEADY]
    environment.user_classes = steady or environment.user_classes


def hand_over(environment: Environment) -> NoReturn:
    """Become the process that holds the probes of the user classes.

    Raises:
        MisuseError: Something was asked for that makes sense for a single run alone.
    """
    options = environment.parsed_options
    _require_campaign(environment)
    arguments = [
        *("load", "campaign", "--scenarios", json.dumps(list(_scenarios(environment)))),
        *(("--host", environment.host) if environment.host else ()),
        *_handed_on(environment),
        *(("--", "--processes", str(options.processes)) if options and options.processes else ()),
    ]
    if options is not None:
        # Not among the arguments, which everybody on the machine can read.
        os.environ[VARIABLE] = as_variable(headers_said(options.header, os.environ))
    _end_forked_workers()
    sys.stdout.flush()
    sys.stderr.flush()
    # Until the other program can answer it: by default Python would show a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.execv(sys.executable, [sys.executable, "-m", "harness", *arguments])  # noqa: S606 - our own interpreter


def _require_campaign(environment: Environment) -> None:
    options = environment.parsed_options
    given = [name for name in _OF_ONE_RUN if getattr(options, name, None)]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise MisuseError(
            f"{names}: of a single run, but without -u and -t all probes are held, in many runs",
            remedy="give -u and -t, or hold one probe: harness load browse -- --arrival-rate 100",
        )
    if isinstance(environment.runner, MasterRunner) and not (options and options.processes):
        raise MisuseError(
            "--master without -u and -t: the probes start Locust anew for each stretch of load, "
            "and workers that were started by hand do not",
            remedy="give -u and -t for one run with these workers, or --processes for all probes",
        )


def _scenarios(environment: Environment) -> Iterator[dict[str, object]]:
    """As `harness.campaign.scenario.scenarios_from` reads them."""
    for each in environment.user_classes:
        probe = getattr(each, "probe", None)
        if probe is None:
            say(f"{each.__name__} is no HarnessUser, so no probe can be held with it: left out")
            continue
        file = Path(inspect.getfile(each)).resolve()
        yield {
            "probe": probe,
            "file": str(file),
            "user": each.__name__,
            "is_planned": file.is_relative_to(_PACKAGE),
        }


def _probe_of(user: type[User]) -> str:
    return str(getattr(user, "probe", _STEADY))


def _handed_on(environment: Environment) -> Iterator[str]:
    options = environment.parsed_options
    for name in HANDED_ON:
        value = getattr(options, name, None)
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif value:
            yield from (option, str(value))


def _end_forked_workers() -> None:
    """Those of ``--processes``: this process keeps its number, so they would not miss their master.

    Each probe starts its own.
    """
    own = psutil.Process()
    workers = [child for child in own.children() if child.cmdline() == own.cmdline()]
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers)
