"""Run Locust as a process of its own and read what its users saw."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from harness.errors import ServerStartError
from harness.load.result import LoadResult
from harness.served import ServedApplication, owned_process

__all__ = ["LocustRun", "locust_run"]

_SHOWN_LINES = 6
_MARGIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LocustRun:
    """A Locust that is sending requests."""

    process: subprocess.Popen[str]
    result_file: Path
    log_file: Path
    seconds: int

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def result(self) -> LoadResult:
        """Wait for its end, and read what it counted.

        Raises:
            ServerStartError: If it did not run; with what it said last.
        """
        try:
            self.process.wait(self.seconds + _MARGIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if not self.result_file.exists():
            said = self.log_file.read_text(encoding="utf-8", errors="replace").strip()
            raise ServerStartError(
                f"Locust ended without a result (exit code {self.process.wait()})",
                where="\n".join(said.splitlines()[-_SHOWN_LINES:]),
            )
        return LoadResult.read(self.result_file)


@contextmanager
def locust_run(
    scenario: str,
    target: ServedApplication,
    plan: Sequence[tuple[str, str]],
    *,
    users: int,
    seconds: int,
    kept_requests: int = 0,
) -> Iterator[LocustRun]:
    """Start a packaged scenario against a served application.

    Args:
        scenario: Its file name without ``.py``.
        target: Where the application answers.
        plan: Route names and the paths to request them by.
        users: How many at once, all from the start.
        seconds: How long.
        kept_requests: How many, the first ones, the result holds one by one.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-")))
        source = files("harness.load.scenarios") / f"{scenario}.py"
        script = stack.enter_context(as_file(source))
        plan_file = folder / "plan.json"
        plan_file.write_text(json.dumps(plan), encoding="utf-8")
        result, log = folder / "result.json", folder / "locust.log"
        command = [
            *(sys.executable, "-m", "locust", "-f", str(script), "--headless", "--only-summary"),
            *("--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds}s"),
            *("--host", target.url, "--plan", str(plan_file), "--result", str(result)),
            *("--keep-requests", str(kept_requests)),
            *("--stop-timeout", "5", "--logfile", str(log), "--owned"),
        ]
        errors = stack.enter_context(log.open("w", encoding="utf-8"))
        process = stack.enter_context(
            owned_process(
                command,
                environment={"HARNESS_TOKEN": target.token},
                errors_to=errors.fileno(),
                output_to=errors.fileno(),
            )
        )
        yield LocustRun(process, result, log, seconds)
