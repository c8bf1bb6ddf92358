"""A headless run that says neither how many users nor how long is a campaign: handed over here.

Locust patches the process that it is in, so the probes are run by another one. This process
becomes that one, by exec: same terminal, same Ctrl-C, same exit code, and nobody in between who
would have to pass them on.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil
from locust import User
from locust.argument_parser import LocustArgumentParser, default_args_dict, get_parser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.errors import MisuseError
from harness.load.division import Division, divided
from harness.load.options import HANDED_ON
from harness.load.sending_headers import VARIABLE, as_variable, headers_said
from harness.load.session import say

__all__ = ["choose_steady_mix", "hand_over", "is_campaign"]

_STEADY = "browse"
_OF_ONE_RUN = frozenset(
    {
        *("result", "keep_requests", "arrival_rate", "warm_up", "longest", "write", "keys"),
        *("owned", "announce", "stepped"),
    }
)
"""Of ours; of Locust's all but those that `harness.load.division` knows."""
_NO_OPTION = "harness_"
"""What the harness puts beside the options, for workers."""
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
    """Become the process that runs the probes of the user classes.

    Raises:
        MisuseError: Something was asked for that probes cannot do.
    """
    options = environment.parsed_options
    division = _division(environment)
    _require_campaign(environment, division)
    _require_known(environment, division)
    arguments = [
        *("load", "campaign", "--scenarios", json.dumps(list(_scenarios(environment)))),
        *(("--host", environment.host) if environment.host else ()),
        *division.of_campaign,
        *("--", *division.of_each_locust),
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


def _division(environment: Environment) -> Division:
    parser = get_parser()
    said = {
        name: value
        for name, value in vars(environment.parsed_options).items()
        if not name.startswith(_NO_OPTION) and not _is_secret(name, parser)
    }
    return divided(
        said,
        defaults={name: parser.get_default(name) for name in said},
        of_campaign=HANDED_ON,
        of_one_run={*default_args_dict(), *_OF_ONE_RUN},
    )


def _is_secret(name: str, parser: LocustArgumentParser) -> bool:
    """Whether it shall not stand on the command line, which everybody can read, unless it does.

    The environment, from where it is then, is that of each Locust, too.
    """
    option = f"--{name.replace('_', '-')}"
    is_typed = any(word.partition("=")[0] == option for word in sys.argv)
    return name in parser.secret_args_included_in_web_ui and not is_typed


def _require_campaign(environment: Environment, division: Division) -> None:
    options = environment.parsed_options
    if division.refused:
        raise MisuseError(
            f"{', '.join(division.refused)}: of a single run, but without -u and -t all probes "
            "are run, each in several runs that ask for more than your tasks do",
            remedy="leave it out and name the classes to load at the end of the command; or give "
            "-u and -t for one run; or run one probe: harness load browse -- --arrival-rate 100",
        )
    if isinstance(environment.runner, MasterRunner) and not (options and options.processes):
        raise MisuseError(
            "--master without -u and -t: the probes start Locust anew for each stretch of load, "
            "and workers that were started by hand do not",
            remedy="give -u and -t for one run with these workers, or --processes for all probes",
        )


def _require_known(environment: Environment, division: Division) -> None:
    """Ask the file of each class by itself, as the probes will: one option may be of another file.

    Raises:
        MisuseError: One does not know an option.
    """
    options = [word for word in division.of_each_locust if not word.startswith("--processes")]
    held = (each for each in environment.user_classes if hasattr(each, "probe"))
    files = dict.fromkeys(map(inspect.getfile, held))
    for file in files if options else ():
        command = [sys.executable, "-m", "locust", "-f", file, *options, "--list"]
        asked = subprocess.run(  # noqa: S603 - our own interpreter
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if asked.returncode:
            raise MisuseError(
                f"{Path(file).name} does not take {' '.join(options)}, and probes run it by itself",
                where="\n".join(asked.stderr.splitlines()[-1:]),
                remedy="name classes of files that do at the end of the command",
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


def _end_forked_workers() -> None:
    """Those of ``--processes``: this process keeps its number, so they would not miss their master.

    Each probe starts its own.
    """
    own = psutil.Process()
    workers = [child for child in own.children() if child.cmdline() == own.cmdline()]
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers)
