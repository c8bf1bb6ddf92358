"""How a run begins: the target is read, counting begins from nothing, and its length is watched.

Apart from `listeners`, because workers that are told to count anew begin in the same way.
"""

from __future__ import annotations

import random
import time

import gevent
from locust.env import Environment
from locust.runners import STATE_MISSING, STATE_RUNNING, MasterRunner, WorkerRunner

from harness.load.arrivals import Arrivals
from harness.load.distributed import tell_workers_to_count
from harness.load.session import Session, say
from harness.load.target import give_headers, require_same_target

__all__ = ["begin", "is_read_early", "note_users", "start"]

_LOOK_SECONDS = 0.2
_READING_SHARE = 0.5
"""Of ``--run-time``, which runs from before the target is read: a process that hangs would take
all of it, and no request be sent."""


def is_read_early(environment: Environment) -> bool:
    """Where the run begins at once its time does, too, and reading takes a second of it."""
    options = environment.parsed_options
    if options is None or not options.headless:
        return False
    # Workers that are started by hand may come much later.
    return bool(options.processes) or not isinstance(environment.runner, MasterRunner)


def start(session: Session, environment: Environment) -> None:
    """Locust starts a run, or this worker's part of one."""
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        return
    if isinstance(runner, WorkerRunner):
        begin(session, environment)
        return
    require_same_target(session, environment)
    give_headers(session, environment)
    if not is_read_early(environment):
        run_time = options.run_time
        session.read(within_seconds=run_time * _READING_SHARE if run_time else None)
    # Locust sends its options, and whatever stands beside them, to workers that start.
    options.harness_run = session.run.number + 1
    options.harness_users = max(1, runner.target_user_count)
    begin(session, environment)
    if options.warm_up:
        number = session.run.number
        gevent.spawn_later(options.warm_up, _end_warm_up, session, environment, number)
    else:
        session.announce("counting")


def begin(session: Session, environment: Environment) -> None:
    """Count a run from nothing."""
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        return
    session.run.start(
        number=options.harness_run,
        most_samples=options.keep_requests,
        arrivals=_arrivals(environment),
    )
    session.is_counting_items = options.count_items
    session.reporter.reset()
    if isinstance(runner, MasterRunner):
        # Locust keeps one that died for a minute: nothing of this run is its to report.
        here = (client.id for client in runner.clients.all if client.state != STATE_MISSING)
        session.book.start(here)
    if not isinstance(runner, WorkerRunner):
        gevent.spawn(_watch, session, environment)


def note_users(session: Session, environment: Environment, *, is_spawned: bool) -> None:
    """Note how many users there are, of those that were asked for.

    Args:
        session: Of this process.
        environment: Locust's.
        is_spawned: Whether all of them were told to begin.
    """
    runner = environment.runner
    if runner is None or not session.run.is_running:
        return
    target = runner.target_user_count
    session.run.note_users(runner.user_count, target=target, is_spawned=is_spawned)
    if isinstance(runner, MasterRunner):
        session.book.note_users({each.id: each.user_count for each in runner.clients.all})


def _end_warm_up(session: Session, environment: Environment, number: int) -> None:
    """Counting begins; what the users are in the midst of is counted when it ends.

    As a run of another number: reports on the one before are still on their way.
    """
    options, run = environment.parsed_options, session.run
    if options is None or not run.is_running or run.number != number:
        return
    options.harness_run = number + 1
    begin(session, environment)
    tell_workers_to_count(environment)
    session.announce("counting")


def _arrivals(environment: Environment) -> Arrivals | None:
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None or not options.arrival_rate:
        return None
    share: float = options.arrival_rate / options.harness_users
    # Not all processes at the same moment.
    first_seconds = time.monotonic() + random.random() / share  # noqa: S311 - no secret
    return Arrivals(lambda: share * max(1, runner.user_count), first_seconds)


def _watch(session: Session, environment: Environment) -> None:
    """Note how many users there are, and end a run that has become too long."""
    options, runner, run = environment.parsed_options, environment.runner, session.run
    number = run.number
    while runner is not None and run.is_running and run.number == number:
        note_users(session, environment, is_spawned=runner.state == STATE_RUNNING)
        if options is not None and run.elapsed_seconds > options.longest:
            say(f"stopped after {options.longest} s: --longest raises this limit")
            (runner.quit if options.headless else runner.stop)()
            return
        gevent.sleep(_LOOK_SECONDS)
