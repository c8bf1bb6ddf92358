"""Counts on their way from workers to the master, without a loss.

Reports ride on those that Locust sends every three seconds. For the last one Locust gives its
workers half a second after the order to quit, and drops what comes later, such as the requests in
flight under ``--stop-timeout``. So the master asks first: it tells its workers to stop, and goes
on when the last report of each is there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from harness.load.session import Session

__all__ = ["connect", "on_quitting", "on_stopping", "tell_workers_to_count"]

_KEY = "harness"
_COUNT = "harness-count"
_STOP = "harness-stop"
_LAST = "harness-last"
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_ORPHAN_SECONDS = 0.5
_GRACE_SECONDS = 5.0


def connect(session: Session, environment: Environment, *, begin: Callable[[], None]) -> None:
    """Let this process send its counts, or receive those of others, as its runner requires.

    Args:
        session: Of this process.
        environment: Locust's.
        begin: Begins to count from nothing, on a worker whose master says so.
    """
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        events.worker_report.add_listener(
            lambda client_id, data: _take(session, client_id, data.get(_KEY))
        )
        runner.register_message(_LAST, lambda msg, **_: _take(session, msg.node_id, msg.data))
    elif isinstance(runner, WorkerRunner):
        events.report_to_master.add_listener(lambda data, **_: _attach(session, data))
        runner.register_message(
            _STOP, lambda msg, **_: _stop_worker(session, runner, msg), concurrent=True
        )
        runner.register_message(_COUNT, lambda msg, **_: _count_anew(environment, msg, begin))
        options = environment.parsed_options
        if options is not None and options.processes:
            _follow_master(os.getppid())
        else:
            gevent.signal_handler(signal.SIGINT, runner.quit)


def tell_workers_to_count(environment: Environment) -> None:
    """On the master, after a warm-up: what workers have counted so far is not asked for."""
    options, runner = environment.parsed_options, environment.runner
    if isinstance(runner, MasterRunner) and options is not None:
        runner.send_message(_COUNT, {"run": options.harness_run})


def on_stopping(session: Session, environment: Environment) -> None:
    """On the master, before it stops: wait for the workers' last reports."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return
    runner.send_message(_STOP, {"run": session.run.number})
    until_seconds = time.monotonic() + environment.stop_timeout + _PATIENCE_SECONDS
    while time.monotonic() < until_seconds:
        here = [client.id for client in runner.clients.all if client.state != STATE_MISSING]
        if session.book.has_ended(here):
            return
        gevent.sleep(_LOOK_SECONDS)


def on_quitting(session: Session, environment: Environment) -> None:
    """On a worker that goes of its own accord: what it has counted is not lost."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        _send_last(session, runner)


def _count_anew(environment: Environment, message: Message, begin: Callable[[], None]) -> None:
    options = environment.parsed_options
    if options is not None:
        options.harness_run = message.data["run"]
        begin()


def _take(session: Session, client_id: str, report: Any) -> None:  # noqa: ANN401 - from a message
    if report:
        session.book.take(client_id, report, session.run)


def _attach(session: Session, data: dict[str, Any]) -> None:
    if session.run.number:
        data[_KEY] = session.reporter.report(session.run)


def _stop_worker(session: Session, runner: WorkerRunner, message: Message) -> None:
    if message.data["run"] == session.run.number:
        _send_last(session, runner)


def _send_last(session: Session, runner: WorkerRunner) -> None:
    runner.stop()
    if session.run.number:
        runner.send_message(_LAST, session.reporter.report(session.run, is_last=True))


def _follow_master(master: int) -> None:
    """A worker that Locust forked ends when and because its master does.

    Ctrl-C reaches both at once: the worker leaves it to the master, so that the counts arrive. And
    a master that is killed would else leave workers for the minute that a heartbeat may be missing.
    """

    def watch() -> None:
        while os.getppid() == master:
            gevent.sleep(_ORPHAN_SECONDS)
        os._exit(1)

    gevent.spawn(watch)
    gevent.signal_handler(signal.SIGINT, lambda: gevent.spawn_later(_GRACE_SECONDS, os._exit, 1))
