"""What the harness adds to a Locust run: a target if none is given, counts, a verdict.

The verdict is computed in a ``quitting`` listener: on ``test_stop`` requests in flight are missing,
and on a master those that its workers have not reported yet.
"""

from __future__ import annotations

import os
import random
import signal
import time
from types import FrameType
from typing import Any, NoReturn

import gevent
import gevent.os
from locust import events
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from harness.errors import ExitCode, HarnessError, MisuseError
from harness.load.arrivals import Arrivals
from harness.load.distributed import connect, on_quitting, on_stopping, tell_workers_to_count
from harness.load.handover import choose_steady_mix, hand_over, is_campaign
from harness.load.options import add_options
from harness.load.safety import require_own_target, require_short_run
from harness.load.session import Session, say
from harness.load.tally import answer_of
from harness.private_output import private_output
from harness.scan.items import items_in

__all__ = ["register", "session_of"]

_LOOK_SECONDS = 0.2
_QUIT_SECONDS = 2.0


def register() -> None:
    """Register with Locust; a second call, from a second scenario, changes nothing."""
    if getattr(events, "harness_session", None) is not None:
        return
    session = events.harness_session = Session()  # type: ignore[attr-defined] # one per process, as the events
    events.init_command_line_parser.add_listener(_guard)
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(lambda environment, **_: _init(session, environment))
    events.test_start.add_listener(lambda environment, **_: _start(session, environment))
    events.test_stopping.add_listener(lambda environment, **_: _stopping(session, environment))
    events.request.add_listener(lambda **request: _request(session, **request))
    events.quitting.add_listener(lambda environment, **_: _quitting(session, environment))


def session_of() -> Session:
    """The session of this process; there is one as soon as a scenario was imported."""
    session: Session = events.harness_session  # type: ignore[attr-defined] # see register
    return session


def _guard(**_: object) -> None:
    """Until `_init`: Locust makes its parser again for each page of the web UI that it shows."""
    if signal.getsignal(signal.SIGINT) is not _leave:
        signal.signal(signal.SIGINT, _leave)


def _init(session: Session, environment: Environment) -> None:
    if environment.parsed_options is None or environment.runner is None:
        return
    connect(session, environment, begin=lambda: _begin(session, environment))
    if isinstance(environment.runner, WorkerRunner):
        return
    try:
        if is_campaign(environment):
            hand_over(environment)
        choose_steady_mix(environment)
        _require_sense(environment)
        session.aim(environment)
    except HarnessError as error:
        _give_up(session, error)
    gevent.signal_handler(signal.SIGINT, lambda: _interrupt(session, environment))
    gevent.signal_handler(signal.SIGTERM, lambda: _await_end(session, environment))
    if environment.parsed_options.owned:
        gevent.spawn(_follow_owner, session)
    if environment.parsed_options.announce:
        session.listener = private_output()
    if environment.parsed_options.stepped:
        session.steps.listener = session.listener


def _require_sense(environment: Environment) -> None:
    options = environment.parsed_options
    if options is None:
        return
    require_short_run(options.run_time, longest_seconds=options.longest)
    if options.keep_requests and isinstance(environment.runner, MasterRunner):
        raise MisuseError(
            "--keep-requests is for one process, and a master sends nothing itself",
            remedy="leave it out, or run without --processes and --master",
        )
    is_one = isinstance(environment.runner, LocalRunner) and (options.num_users or 1) == 1
    if options.stepped and not (is_one and options.owned and options.announce):
        raise MisuseError("--stepped is for one user, with --owned and --announce")


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End at once, without an exception: one that is raised inside gevent's hub can be lost.

    What was started stops by itself, as its standard input ends with this process.
    """
    os.write(2, b"harness: interrupted; what was started stops\n")
    os._exit(ExitCode.INTERRUPTED)


def _give_up(session: Session, error: HarnessError) -> NoReturn:
    """Say why and end the process: Locust swallows what a listener raises, and goes on."""
    say(str(error))
    session.resources.close()
    os._exit(error.exit_code)


def _interrupt(session: Session, environment: Environment) -> None:
    """Ctrl-C: end as at the end of the run; a second one ends at once."""
    if session.was_asked_to_end:
        os._exit(ExitCode.INTERRUPTED)
    _note_interruption(session, environment)
    if environment.runner is not None:
        environment.runner.quit()
    if environment.web_ui is not None:
        environment.web_ui.stop()
    _await_end(session, environment)


def _await_end(session: Session, environment: Environment) -> None:
    """Let Locust end, as it does on SIGTERM by itself; while it awaits workers it does not."""
    _note_interruption(session, environment)
    gevent.sleep(_QUIT_SECONDS)
    if not session.is_quitting:
        session.conclude(environment)
        os._exit(ExitCode.INTERRUPTED)


def _note_interruption(session: Session, environment: Environment) -> None:
    options = environment.parsed_options
    is_headless = options is None or options.headless
    session.was_asked_to_end = True
    session.is_interrupted |= session.run.is_running or is_headless
    session.steps.end()


def _start(session: Session, environment: Environment) -> None:
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        return
    if isinstance(runner, WorkerRunner):
        _begin(session, environment)
        return
    _require_same_target(session, environment)
    # Locust sends its options, and whatever stands beside them, to workers that start.
    options.harness_run = session.run.number + 1
    options.harness_users = max(1, runner.target_user_count)
    _begin(session, environment)
    if options.warm_up:
        number = session.run.number
        gevent.spawn_later(options.warm_up, _end_warm_up, session, environment, number)
    else:
        session.announce("counting")


def _begin(session: Session, environment: Environment) -> None:
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
        session.book.start(client.id for client in runner.clients.all)
    if not isinstance(runner, WorkerRunner):
        gevent.spawn(_watch, session, environment)


def _end_warm_up(session: Session, environment: Environment, number: int) -> None:
    """Counting begins; what the users are in the midst of is counted when it ends.

    As a run of another number: reports on the one before are still on their way.
    """
    options, run = environment.parsed_options, session.run
    if options is None or not run.is_running or run.number != number:
        return
    options.harness_run = number + 1
    _begin(session, environment)
    tell_workers_to_count(environment)
    session.announce("counting")


def _require_same_target(session: Session, environment: Environment) -> None:
    """The web UI's form can name another host at every start."""
    options = environment.parsed_options
    if not environment.host or environment.host == session.host or options is None:
        return
    try:
        require_own_target(environment.host, is_owned=options.i_own_this_target)
    except MisuseError as error:
        say(str(error))
        refused, environment.host = environment.host, session.host
        raise StopTest(f"not started: {refused} is not this machine") from error
    session.host = environment.host
    session.target = None  # whose probe the token opens is not known


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
        run.peak_users = max(run.peak_users, runner.user_count)
        if options is not None and run.elapsed_seconds > options.longest:
            say(f"stopped after {options.longest} s: --longest raises this limit")
            (runner.quit if options.headless else runner.stop)()
            return
        gevent.sleep(_LOOK_SECONDS)


def _stopping(session: Session, environment: Environment) -> None:
    session.run.stop()
    session.announce("ended")
    on_stopping(session, environment)


def _request(
    session: Session,
    *,
    name: str,
    response_time: float | None,
    response: Any = None,  # noqa: ANN401 - geventhttpclient's
    exception: object = None,
    context: dict[str, Any] | None = None,
    **_: object,
) -> None:
    seconds = (response_time or 0.0) / 1000
    if context:
        seconds += context.get("harness_late_seconds", 0.0)
    answer = answer_of(getattr(response, "status_code", None), exception)
    items = _items(response) if session.is_counting_items else None
    session.run.count(name, answer, seconds=seconds, items=items)
    session.steps.after(name, answer, items)


def _items(response: Any) -> int | None:  # noqa: ANN401 - geventhttpclient's
    headers = getattr(response, "headers", None)
    return items_in(response.content or b"", headers.get("content-type", "")) if headers else None


def _quitting(session: Session, environment: Environment) -> None:
    session.is_quitting = True
    if session.run.is_running and environment.runner is not None:
        # Locust ends by SIGTERM without stopping the users first.
        session.is_interrupted = True
        environment.runner.quit()
    on_quitting(session, environment)
    code = session.conclude(environment)
    if code is not None:
        environment.process_exit_code = code


def _follow_owner(session: Session) -> None:
    """The end of standard input means that the owner is gone, however it went."""
    while gevent.os.tp_read(0, 1):
        session.steps.go_on()
    os._exit(ExitCode.ENVIRONMENT)
