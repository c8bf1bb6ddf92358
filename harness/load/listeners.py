"""What the harness adds to a Locust run: a target if none is given, counts, a verdict.

The verdict is computed in a ``quitting`` listener: on ``test_stop`` requests in flight are missing,
and on a master those that its workers have not reported yet.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import gevent
import gevent.os
from locust import events
from locust.argument_parser import get_empty_argument_parser
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from harness.errors import ExitCode, HarnessError, MisuseError
from harness.load.distributed import connect, on_quitting, on_stopping
from harness.load.handover import choose_steady_mix, hand_over, is_campaign
from harness.load.options import add_options
from harness.load.own_port import give_own_port
from harness.load.plan_file import read_plan
from harness.load.routes import route_of
from harness.load.safety import require_short_run
from harness.load.session import Session, say
from harness.load.starting import begin, is_read_early, note_users, start
from harness.load.tally import answer_of
from harness.load.target import aim, hold_to_target
from harness.private_output import private_output
from harness.scan.items import items_in
from harness.unread import outlive_readers

__all__ = ["register", "session_of"]

_QUIT_SECONDS = 2.0


def register() -> None:
    """Register with Locust; a second call, from a second scenario, changes nothing."""
    if getattr(events, "harness_session", None) is not None:
        return
    session = events.harness_session = Session()  # type: ignore[attr-defined] # one per process, as the events
    events.init_command_line_parser.add_listener(_guard)
    events.init_command_line_parser.add_listener(add_options)
    events.init_command_line_parser.add_listener(
        lambda parser, **_: give_own_port(parser, reader=get_empty_argument_parser(add_help=False))
    )
    events.init.add_listener(lambda environment, **_: _init(session, environment))
    events.test_start.add_listener(lambda environment, **_: start(session, environment))
    events.test_stopping.add_listener(lambda environment, **_: _stopping(session, environment))
    events.test_stop.add_listener(lambda environment, **_: _stopped(session, environment))
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
        # Ctrl-C ends the reader of a pipe, too. Before Locust hands the streams to its loggers.
        outlive_readers()


def _init(session: Session, environment: Environment) -> None:
    if environment.parsed_options is None or environment.runner is None:
        return
    connect(session, environment, begin=lambda: begin(session, environment))
    if isinstance(environment.runner, WorkerRunner):
        return
    try:
        if is_campaign(environment):
            hand_over(environment)
        choose_steady_mix(environment)
        _require_sense(environment)
        aim(session, environment)
        hold_to_target(session, environment)
        if is_read_early(environment):
            session.read()
    except HarnessError as error:
        _give_up(session, error)
    events.spawning_complete.add_listener(
        lambda **_: note_users(session, environment, is_spawned=True)
    )
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
    if options.plan:
        read_plan(Path(options.plan))
    if options.result:
        _require_place(Path(options.result))
    if options.keep_requests and isinstance(environment.runner, MasterRunner):
        raise MisuseError(
            "--keep-requests is for one process, and a master sends nothing itself",
            remedy="leave it out, or run without --processes and --master",
        )
    is_one = isinstance(environment.runner, LocalRunner) and (options.num_users or 1) == 1
    if options.stepped and not (is_one and options.owned and options.announce):
        raise MisuseError("--stepped is for one user, with --owned and --announce")


def _require_place(result: Path) -> None:
    if not result.absolute().parent.is_dir():
        raise MisuseError(
            f"--result {result} cannot be written: there is no such folder",
            remedy="make the folder, or name a file in another one",
        )
    if result.is_dir():
        raise MisuseError(
            f"--result {result} cannot be written: it is a folder", remedy="name a file in it"
        )


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End at once, without an exception: one that is raised inside gevent's hub can be lost.

    What was started stops by itself, as its standard input ends with this process.
    """
    with suppress(OSError):  # nobody reads it any more
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
    if not _has_quit(environment):
        _end_here(session, environment)
    if environment.web_ui is not None:
        environment.web_ui.stop()
    _await_end(session, environment)


def _await_end(session: Session, environment: Environment) -> None:
    """Let Locust end, as it does on SIGTERM by itself; while it awaits workers it does not."""
    _note_interruption(session, environment)
    gevent.sleep(_QUIT_SECONDS)
    if not session.is_quitting:
        _end_here(session, environment)


def _has_quit(environment: Environment) -> bool:
    """Let Locust stop its users, at which it can fail: their classes were exchanged under them."""
    if environment.runner is None:
        return True
    try:
        environment.runner.quit()
    except Exception as error:  # noqa: BLE001 - whatever it is, what is known is told all the same
        say(f"Locust could not stop its users: {error!r}")
        return False
    return True


def _end_here(session: Session, environment: Environment) -> NoReturn:
    """Where Locust does not come to its end, which would be the place."""
    try:
        session.conclude(environment)
    except Exception as error:  # noqa: BLE001 - Locust would go on, and nothing end it any more
        say(f"what is known cannot be told: {error!r}")
    finally:
        os._exit(ExitCode.INTERRUPTED)


def _note_interruption(session: Session, environment: Environment) -> None:
    options = environment.parsed_options
    is_headless = options is None or options.headless
    session.was_asked_to_end = True
    session.is_interrupted |= session.run.is_running or is_headless
    session.steps.end()


def _stopping(session: Session, environment: Environment) -> None:
    session.run.stop()
    session.announce("ended")
    on_stopping(session, environment)


def _stopped(session: Session, environment: Environment) -> None:
    """In the web UI nobody knows when it is looked at; a headless run is read as it quits."""
    options = environment.parsed_options
    if session.reading is not None and options is not None and not options.headless:
        session.reading.end()


def _request(
    session: Session,
    *,
    request_type: str,
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
    status = getattr(response, "status_code", None)
    answer = answer_of(status, exception)
    items = _items(response) if session.is_counting_items else None
    route = route_of(request_type, name)
    session.run.count(route, answer, seconds=seconds, items=items, status=status)
    session.steps.after(route, answer, items)


def _items(response: Any) -> int | None:  # noqa: ANN401 - geventhttpclient's
    headers = getattr(response, "headers", None)
    return items_in(response.content or b"", headers.get("content-type", "")) if headers else None


def _quitting(session: Session, environment: Environment) -> None:
    session.is_quitting = True
    if session.run.is_running and environment.runner is not None:
        # Locust ends by SIGTERM without stopping the users first.
        session.is_interrupted = True
        if not _has_quit(environment):
            _end_here(session, environment)  # Locust would ask once more, and end by a traceback
    on_quitting(session, environment)
    try:
        session.conclude(environment)
    finally:
        # Of what a listener raises Locust would make 2, which is the user's misuse.
        if session.code is not None:
            environment.process_exit_code = session.code


def _follow_owner(session: Session) -> None:
    """The end of standard input means that the owner is gone, however it went."""
    while gevent.os.tp_read(0, 1):
        session.steps.go_on()
    os._exit(ExitCode.ENVIRONMENT)
