"""What one process of Locust holds from its start to its end: the target, the runs, the workers.

A class of its own, because Locust's listeners are functions that share nothing else.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from gevent.lock import RLock
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.capture.reckoning import Write
from harness.errors import ExitCode, HarnessError
from harness.findings import ProbeVerdict, Verdict
from harness.load.judgement import exit_code, interrupted_line, judged_load, line_of
from harness.load.result import LoadResult
from harness.load.run import Run
from harness.load.statuses import RunReading
from harness.load.steps import Steps
from harness.load.workers import Reporter, WorkerBook
from harness.served import ServedApplication

__all__ = ["Session", "say"]


@dataclass(slots=True, eq=False)
class Session:
    """The state behind the listeners."""

    resources: ExitStack = field(default_factory=ExitStack)
    aimed: ServedApplication | None = None
    """What was served, or named by ``--host``; None where its probe cannot be asked."""
    target: ServedApplication | None = None
    """What the present run loads; None where its probe cannot be asked."""
    host: str = ""
    """Which was allowed."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For `headers_host`, and no other host that the web UI may be told."""
    headers_host: str = ""
    reading: RunReading | None = None
    """Of the present run, or of the last one; None where the probe cannot be asked."""
    run: Run = field(default_factory=Run)
    reporter: Reporter = field(default_factory=Reporter)
    book: WorkerBook = field(default_factory=WorkerBook)
    is_interrupted: bool = False
    was_asked_to_end: bool = False
    is_quitting: bool = False
    is_concluded: bool = False
    code: int | None = None
    """Of the process, once it `is_concluded`; None where it is Locust's to choose."""
    concluding: RLock = field(default_factory=RLock)
    steps: Steps = field(default_factory=Steps)
    is_counting_items: bool = False
    listener: TextIO | None = None
    """Whoever wants to know when counting begins and ends."""

    def announce(self, event: str) -> None:
        """Tell whoever listens."""
        if self.listener is not None:
            with suppress(OSError):  # it does not listen any more
                print(json.dumps({"event": event}), file=self.listener, flush=True)

    def read(self, *, within_seconds: float | None = None) -> None:
        """Read the target's probe: what it has counted until now is not of the coming run.

        Args:
            within_seconds: How long that may take; None for as long as it needs.
        """
        self.reading = None
        if self.target is not None:
            self.reading = RunReading.begun(self.target, within_seconds=within_seconds)

    def result(self, environment: Environment) -> LoadResult:
        """What the run came to so far."""
        run = self.run
        run.read_cpu()
        is_master = isinstance(environment.runner, MasterRunner)
        tally = self.book.tally if is_master else run.take_tally()
        run.tally = tally
        options = environment.parsed_options
        return LoadResult(
            started_seconds=run.started_seconds,
            seconds=run.elapsed_seconds,
            users=run.peak_users,
            unstarted_users=run.unstarted_users if _is_headless(options) else 0,
            tally=tally,
            generator_cpu=max(run.cpu, self.book.generator_cpu),
            target_rate=(options.arrival_rate or None) if options is not None else None,
            timeout_seconds=_timeout_seconds(environment),
            workers=self.book.count,
            losses=self.book.losses(run) if is_master else (),
            is_interrupted=self.is_interrupted,
            samples=tuple(run.samples),
            writes=tuple(Write(key, status) for key, status in run.writes.items()),
        )

    def conclude(self, environment: Environment) -> int | None:
        """Tell what became of the last run, write it where asked, give everything back.

        Once: on SIGTERM Locust fires its last event again while that is being done.

        Returns:
            The exit code; None where it is Locust's to choose.
        """
        with self.concluding:
            if not self.is_concluded:
                self.is_concluded = True
                try:
                    self.code = self._concluded(environment)
                except HarnessError as error:
                    say(str(error))
                    self.code = error.exit_code
                except BaseException:
                    self.code = int(ExitCode.ENVIRONMENT)
                    raise
                finally:
                    self.resources.close()
            return self.code

    def _concluded(self, environment: Environment) -> int | None:
        if isinstance(environment.runner, WorkerRunner):
            return None
        if not self.run.number:
            return self._without_a_run(environment)
        result = self.result(environment)
        # Asked once: the reading takes seconds, in which Ctrl-C may come to a run that is over.
        if result.is_interrupted:
            code, lines = ExitCode.INTERRUPTED, [interrupted_line(result)]
        else:
            result = replace(result, verdicts=tuple(self._verdicts(result)))
            code, lines = exit_code(result.verdicts), list(map(line_of, result.verdicts))
        options, is_kept = environment.parsed_options, True
        try:
            _tell(*lines)
        finally:  # neither is lost with the other
            if options is not None and options.result:
                is_kept = _is_written(result, Path(options.result))
        return int(code if is_kept or code is not ExitCode.CLEAN else ExitCode.ENVIRONMENT)

    def _without_a_run(self, environment: Environment) -> int | None:
        if self.is_interrupted:
            return int(ExitCode.INTERRUPTED)
        options = environment.parsed_options
        if options is None or not options.headless:
            return None  # the web UI was looked at, and closed
        never = ProbeVerdict("load", Verdict.INCONCLUSIVE, "the run was over before it had begun")
        _tell(line_of(never))
        return int(exit_code([never]))

    def _verdicts(self, result: LoadResult) -> list[ProbeVerdict]:
        seen = self.reading.seen(result) if self.reading is not None else None
        return judged_load(result, seen)


def say(text: str) -> None:
    """Tell the person at the terminal, beside what Locust prints."""
    print(f"harness: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _tell(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - the answer


def _is_written(result: LoadResult, file: Path) -> bool:
    try:
        result.write(file)
    except OSError as error:
        say(f"--result {file} cannot be written: {error.strerror}; the verdicts above hold")
        return False
    return True


def _is_headless(options: Namespace | None) -> bool:
    """In the web UI people stop a run when they have seen enough, started or not."""
    return options is not None and bool(options.headless)


def _timeout_seconds(environment: Environment) -> float | None:
    limits = [getattr(user, "network_timeout", None) for user in environment.user_classes]
    known = [float(limit) for limit in limits if limit]
    return max(known, default=None)
