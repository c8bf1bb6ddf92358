"""One stretch of load: Locust as a process of its own, which says when it counts.

Starting Locust takes a second or two, so a window of the server's side cannot begin with the
process. The child announces when counting begins, after its warm-up, and when it ends.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file
from importlib.util import find_spec
from math import ceil
from pathlib import Path

from harness.campaign.announcements import announcements
from harness.campaign.scenario import Scenario
from harness.database.living import LivingFolder
from harness.errors import (
    ExitCode,
    HarnessError,
    MissingExtraError,
    MisuseError,
    ServerStartError,
)
from harness.load.result import LoadResult
from harness.load.routes import Plan
from harness.load.sending_headers import VARIABLE, as_variable
from harness.served import owned_process

__all__ = ["Load", "Traffic", "require_locust", "traffic"]

_PREFIX = "harness-traffic-"
_SHOWN_LINES = 6
_START_SECONDS = 60.0
_MARGIN_SECONDS = 30.0
_LAST_SECONDS = 5.0
"""For a process to end that says no more."""
_REFUSES = ": error: "
"""What argparse puts between a program's name and what is wrong with its options."""
_COUNTING, _ENDED = "counting", "ended"


@dataclass(frozen=True, slots=True)
class Load:
    """How much of it."""

    users: int
    """All from the start."""
    seconds: float
    """Rounded up to whole ones: Locust knows no others."""
    warm_up_seconds: float = 0.0
    """Before counting begins: pools fill, statements are compiled. Rounded up, too."""
    arrival_rate: float = 0.0
    """Open model: tasks a second; 0 where users wait for their answers."""
    plan: Plan = ()
    """Routes and paths, for planned traffic."""
    kept_requests: int = 0
    """How many, the first ones, the result holds one by one."""
    stop_seconds: float = 10.0
    """For what is in flight at the end: it is still counted."""
    options: tuple[str, ...] = ()
    """Further ones, of Locust and of the scenario."""
    is_owned_target: bool = False
    """Whether the user said that a host which is not this machine is theirs to load."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """To send with each request to the target."""


@dataclass(slots=True, eq=False)
class Traffic:
    """A Locust at work."""

    process: subprocess.Popen[str]
    load: Load
    result_file: Path
    log_file: Path
    has_ended: bool = False
    """Whether somebody has heard that users were told to stop; see `harness.campaign.steps`."""
    printed: deque[str] = field(default_factory=lambda: deque(maxlen=_SHOWN_LINES))
    """What the file of traffic said on standard output as it was imported; the last of it."""

    def await_counting(self) -> None:
        """Until counting begins.

        Raises:
            ServerStartError: It did not come to that; with what Locust said last.
        """
        self._await(_COUNTING, _START_SECONDS + self.load.warm_up_seconds)

    def await_end(self) -> None:
        """Until users are told to stop; what is in flight may still be answered.

        Raises:
            ServerStartError: It did not come to that.
        """
        if not self.has_ended:
            self._await(_ENDED, self.load.seconds + _MARGIN_SECONDS)
            self.has_ended = True

    def interrupt(self) -> None:
        """End early, with a result of what was counted until then; nothing where it has ended.

        Raises:
            ServerStartError: It did not come to that.
        """
        if not self.has_ended:
            self.process.send_signal(signal.SIGINT)
            self.await_end()

    def result(self) -> LoadResult:
        """Wait for the end of the process, and read what it counted.

        Raises:
            ServerStartError: There is nothing to read; with what Locust said last.
        """
        seconds = self.load.seconds + self.load.stop_seconds + _MARGIN_SECONDS
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if not self.result_file.exists():
            raise self._silent()
        return LoadResult.read(self.result_file)

    def _await(self, event: str, seconds: float) -> None:
        late = threading.Timer(seconds, self.process.kill)
        late.daemon = True
        late.start()
        try:
            for told in announcements(self.process, aside=self.printed.append):
                if told.event == event:
                    return
        finally:
            late.cancel()
        raise self._silent()

    def _silent(self) -> HarnessError:
        code = self._exit_code()
        said = self.log_file.read_text(encoding="utf-8", errors="replace").strip()
        refused = said.rpartition(_REFUSES)[2] if _REFUSES in said else ""
        # A file that has nothing of ours in it refuses our own options first.
        if refused and "--owned" not in refused and code == ExitCode.MISUSE:
            return MisuseError(
                f"Locust refuses its options: {refused.splitlines()[0]}",
                remedy="`locust --help` lists those that may follow --",
            )
        return ServerStartError(
            f"Locust ended too early (exit code {code})",
            where="\n".join([*map(str.rstrip, self.printed), *said.splitlines()][-_SHOWN_LINES:]),
        )

    def _exit_code(self) -> int:
        """Of the process, which is killed where it does not end: nobody else ends it any more."""
        try:
            return self.process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def traffic(scenario: Scenario, load: Load, *, host: str) -> Iterator[Traffic]:
    """Start Locust on a target; it ends with the block, if it has not ended before.

    Args:
        scenario: What its users do.
        load: How much.
        host: Where the application answers.

    Raises:
        MissingExtraError: Locust is not installed.
    """
    require_locust()
    with ExitStack() as stack:
        folder = stack.enter_context(closing(LivingFolder.begin(_PREFIX))).path
        first = scenario.file
        script = first if isinstance(first, Path) else stack.enter_context(as_file(first))
        result, log = folder / "result.json", folder / "locust.log"
        # Locust's own logging appends to it: at a place of ours each would write over the other.
        errors = stack.enter_context(log.open("a", encoding="utf-8"))
        process = stack.enter_context(
            owned_process(
                _command(scenario, load, script=script, host=host, folder=folder),
                # Empty, too: what the environment says is in the headers, if it is meant.
                environment={VARIABLE: as_variable(load.headers)},
                errors_to=errors.fileno(),
            )
        )
        yield Traffic(process, load, result, log)


def require_locust() -> None:
    """Make sure that Locust is there, without an import: that would patch this process's sockets.

    Raises:
        MissingExtraError: It is not.
    """
    if find_spec("locust") is None:
        raise MissingExtraError(
            "a load needs 'locust', which is not installed",
            remedy="pip install 'fastapi-sqlalchemy-harness[load]'",
        )


def _command(scenario: Scenario, load: Load, *, script: Path, host: str, folder: Path) -> list[str]:
    scripts = dict.fromkeys(str(file) for file in (script, *(file for file, _ in scenario.beside)))
    users = (scenario.user, *(user for _, user in scenario.beside))
    return [
        *(sys.executable, "-m", "locust", "-f", ",".join(scripts), "--headless"),
        *("--only-summary", "--owned", "--announce", "--host", host),
        *(str(part) for option in _options(load, folder).items() for part in option),
        *(["--i-own-this-target"] if load.is_owned_target else []),
        *load.options,
        *filter(None, users),
    ]


def _options(load: Load, folder: Path) -> Mapping[str, object]:
    warm_up = ceil(load.warm_up_seconds)
    run_time = ceil(load.seconds) + warm_up
    options: dict[str, object] = {
        "--users": load.users,
        "--spawn-rate": load.users,
        "--run-time": f"{run_time}s",
        "--longest": f"{run_time}s",
        "--stop-timeout": f"{ceil(load.stop_seconds)}s",
        "--result": folder / "result.json",
        "--logfile": folder / "locust.log",
    }
    if warm_up:
        options["--warm-up"] = f"{warm_up}s"
    if load.arrival_rate:
        options["--arrival-rate"] = load.arrival_rate
    if load.kept_requests:
        options["--keep-requests"] = load.kept_requests
    if load.plan:
        plan = folder / "plan.json"
        plan.write_text(json.dumps(load.plan), encoding="utf-8")
        options["--plan"] = plan
    return options
