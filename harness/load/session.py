"""What one process of Locust holds from its start to its end: the target, the runs, the workers.

A class of its own, because Locust's listeners are functions that share nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.capture.reckoning import Write
from harness.errors import BlindRecorderError, ExitCode, HarnessError, UnreachableTargetError
from harness.findings import ProbeVerdict, Verdict
from harness.load.judgement import exit_code, interrupted_line, judged_load, line_of
from harness.load.result import LoadResult
from harness.load.run import Run
from harness.load.safety import require_answer, require_own_target
from harness.load.statuses import status_at_rest
from harness.load.steps import Steps
from harness.load.workers import Reporter, WorkerBook
from harness.served import ServedApplication, serving

__all__ = ["Session", "say"]


@dataclass(slots=True, eq=False)
class Session:
    """The state behind the listeners."""

    resources: ExitStack = field(default_factory=ExitStack)
    target: ServedApplication | None = None
    """None where its probe cannot be asked."""
    host: str = ""
    """Which was allowed."""
    run: Run = field(default_factory=Run)
    reporter: Reporter = field(default_factory=Reporter)
    book: WorkerBook = field(default_factory=WorkerBook)
    is_interrupted: bool = False
    was_asked_to_end: bool = False
    is_quitting: bool = False
    steps: Steps = field(default_factory=Steps)
    is_counting_items: bool = False
    listener: TextIO | None = None
    """Whoever wants to know when counting begins and ends."""

    def announce(self, event: str) -> None:
        """Tell whoever listens."""
        if self.listener is not None:
            with suppress(OSError):  # it does not listen any more
                print(json.dumps({"event": event}), file=self.listener, flush=True)

    def aim(self, environment: Environment) -> None:
        """Find the target, or start it.

        Raises:
            MisuseError: If it may not be loaded.
            UnreachableTargetError: If nothing answers there.
            ServerStartError: If the configured application does not start.
        """
        if not environment.host:
            say("no --host: serving the configured application")
            self.target = self.resources.enter_context(serving(environment={}))
            environment.host = self.host = self.target.url
            return
        options = environment.parsed_options
        is_owned = options is not None and options.i_own_this_target
        require_own_target(environment.host, is_owned=is_owned)
        require_answer(environment.host)
        self.host = environment.host
        token = os.environ.get("HARNESS_TOKEN")
        self.target = ServedApplication(environment.host.rstrip("/"), token) if token else None

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
            tally=tally,
            generator_cpu=max(run.cpu, self.book.generator_cpu),
            target_rate=(options.arrival_rate or None) if options is not None else None,
            timeout_seconds=_timeout_seconds(environment),
            workers=self.book.count,
            losses=self.book.losses() if is_master else (),
            is_interrupted=self.is_interrupted,
            samples=tuple(run.samples),
            writes=tuple(Write(key, status) for key, status in run.writes.items()),
        )

    def conclude(self, environment: Environment) -> int | None:
        """Tell what became of the last run, write it where asked, give everything back.

        Returns:
            The exit code; None where it is Locust's to choose.
        """
        try:
            return self._concluded(environment)
        except HarnessError as error:
            say(str(error))
            return error.exit_code
        finally:
            self.resources.close()

    def _concluded(self, environment: Environment) -> int | None:
        if isinstance(environment.runner, WorkerRunner):
            return None
        if not self.run.number:
            return int(ExitCode.INTERRUPTED) if self.is_interrupted else None
        result = self.result(environment)
        if not self.is_interrupted:
            result = replace(result, verdicts=tuple(self._verdicts(result)))
        options = environment.parsed_options
        if options is not None and options.result:
            result.write(Path(options.result))
        if self.is_interrupted:
            _tell(interrupted_line(result))
            return int(ExitCode.INTERRUPTED)
        for verdict in result.verdicts:
            _tell(line_of(verdict))
        return int(exit_code(result.verdicts))

    def _verdicts(self, result: LoadResult) -> list[ProbeVerdict]:
        if self.target is None:
            return judged_load(result, None)
        try:
            status: dict[str, Any] = status_at_rest(self.target)
        except (UnreachableTargetError, BlindRecorderError) as error:
            unknown = ProbeVerdict("pool", Verdict.INCONCLUSIVE, str(error))
            of_clients = (one for one in judged_load(result, None) if one.probe != "pool")
            return [*of_clients, unknown]
        return judged_load(result, status)


def say(text: str) -> None:
    """Tell the person at the terminal, beside what Locust prints."""
    print(f"harness: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the answer


def _timeout_seconds(environment: Environment) -> float | None:
    limits = [getattr(user, "network_timeout", None) for user in environment.user_classes]
    known = [float(limit) for limit in limits if limit]
    return max(known, default=None)
