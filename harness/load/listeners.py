"""What the harness adds to a Locust run: a target if none is given, samples, a verdict.

The verdict is computed in a ``quitting`` listener: on ``test_stop`` requests in flight are missing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import gevent
import gevent.os
from gevent import socket
from locust import events
from locust.env import Environment

from harness.checks.steady_load import connections_returned, pool_timeouts, steady_answers
from harness.errors import ExitCode, HarnessError, MisuseError, UnreachableTargetError
from harness.findings import ProbeVerdict, Verdict
from harness.load.story import Sample, Samples, load_story, outcome_of
from harness.served import ServedApplication, serving

__all__ = ["register"]

_KEPT_SAMPLES = 500_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_EXIT_CODES = {
    Verdict.FAIL: ExitCode.FINDINGS,
    Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT,
}


@dataclass(slots=True, eq=False)
class _Run:
    """One run of Locust."""

    resources: ExitStack = field(default_factory=ExitStack)
    target: ServedApplication | None = None
    started_seconds: float = 0.0
    peak_users: int = 0
    samples: list[Sample] = field(default_factory=list)

    def taken(self) -> Samples:
        seconds = time.monotonic() - self.started_seconds if self.started_seconds else 0.0
        return Samples(self.started_seconds, seconds, self.peak_users, tuple(self.samples))


def register() -> None:
    """Register with Locust; a second call, from a second scenario, changes nothing."""
    if getattr(events, "harness_run", None) is not None:
        return
    run = events.harness_run = _Run()  # type: ignore[attr-defined] # one per process, as the events
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(lambda environment, **_: _init(run, environment))
    events.test_start.add_listener(lambda environment, **_: _start(run, environment))
    events.request.add_listener(lambda **request: _request(run, **request))
    events.quitting.add_listener(lambda environment, **_: _quitting(run, environment))


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("harness")
    group.add_argument(
        "--plan", metavar="FILE", default="", help="JSON list of [route, path] to request"
    )
    group.add_argument(
        "--samples", metavar="FILE", default="", help="Write every request to this file, as JSON"
    )
    group.add_argument(
        "--i-own-this-target", action="store_true", help="Allow a host that is not this machine"
    )
    group.add_argument("--owned", action="store_true", help="Stop when standard input ends")


def _init(run: _Run, environment: Environment) -> None:
    options = environment.parsed_options
    if options is None or environment.runner is None:
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        _aim(run, environment, is_owned_target=options.i_own_this_target)
    except HarnessError as error:
        _give_up(run, str(error), error.exit_code)
    finally:
        signal.signal(signal.SIGINT, before)
    if options.owned:
        gevent.spawn(_stop_with_owner)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End at once, without an exception: one that is raised inside gevent's hub can be lost.

    What was started stops by itself, as its standard input ends with this process.
    """
    os.write(2, b"harness: interrupted; what was started stops\n")
    os._exit(ExitCode.INTERRUPTED)


def _give_up(run: _Run, message: str, code: ExitCode) -> NoReturn:
    """Say why and end the process: Locust swallows what a listener raises, and goes on."""
    print(f"harness: {message}", file=sys.stderr, flush=True)  # noqa: T201
    run.resources.close()
    os._exit(code)


def _aim(run: _Run, environment: Environment, *, is_owned_target: bool) -> None:
    if not environment.host:
        print("harness: no --host: serving the configured application", file=sys.stderr)  # noqa: T201
        run.target = run.resources.enter_context(serving(environment={}))
        environment.host = run.target.url
        return
    name = urlsplit(environment.host).hostname or ""
    if name not in _LOOPBACK and not name.startswith("127.") and not is_owned_target:
        raise MisuseError(
            f"{environment.host} is not this machine: a load test there is a denial of service",
            remedy="give --i-own-this-target if it is yours to load",
        )
    _require_answer(environment.host)
    token = os.environ.get("HARNESS_TOKEN")
    run.target = ServedApplication(environment.host, token) if token else None


def _require_answer(host: str) -> None:
    parts = urlsplit(host)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=5).close()
    except OSError as error:
        raise UnreachableTargetError(
            f"nothing answers at {host}: {error}",
            remedy="start the application, or leave --host out to have it started",
        ) from error


def _start(run: _Run, environment: Environment) -> None:
    run.started_seconds = time.monotonic()
    run.samples.clear()
    gevent.spawn(_watch_users, run, environment)


def _watch_users(run: _Run, environment: Environment) -> None:
    while environment.runner is not None and environment.runner.state != "stopped":
        run.peak_users = max(run.peak_users, environment.runner.user_count)
        gevent.sleep(0.2)


def _request(
    run: _Run,
    name: str,
    response_time: float | None,
    response: Any = None,  # noqa: ANN401 - geventhttpclient's
    **_: object,
) -> None:
    if len(run.samples) >= _KEPT_SAMPLES:
        return
    seconds = (response_time or 0.0) / 1000
    offset = time.monotonic() - run.started_seconds - seconds
    outcome = outcome_of(getattr(response, "status_code", None))
    run.samples.append(Sample(offset, seconds, name, outcome))


def _quitting(run: _Run, environment: Environment) -> None:
    taken = run.taken()
    try:
        options = environment.parsed_options
        if options is not None and options.samples:
            taken.write(Path(options.samples))
        _judge(run, taken, environment)
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)  # noqa: T201
        environment.process_exit_code = error.exit_code
    finally:
        run.resources.close()


def _judge(run: _Run, taken: Samples, environment: Environment) -> None:
    status = run.target.status_at_rest() if run.target is not None else None
    story = load_story(taken, status)
    verdicts = [steady_answers(story)]
    if status is None:
        why = "the target has no probe, or HARNESS_TOKEN is not set"
        verdicts.append(ProbeVerdict("pool", Verdict.SKIPPED, why))
    else:
        verdicts.extend((pool_timeouts(story), connections_returned(story)))
    for verdict in verdicts:
        print(f"harness: {verdict.probe:<6} {verdict.verdict:<12} {verdict.summary}")  # noqa: T201
    codes = [_EXIT_CODES.get(verdict.verdict, ExitCode.CLEAN) for verdict in verdicts]
    worst = ExitCode.FINDINGS if ExitCode.FINDINGS in codes else max(codes)
    environment.process_exit_code = int(worst)


def _stop_with_owner() -> None:
    """The end of standard input means that the owner is gone, however it went."""
    while gevent.os.tp_read(0, 1):
        pass
    os._exit(ExitCode.ENVIRONMENT)
