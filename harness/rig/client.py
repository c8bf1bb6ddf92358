"""Drives the rig: a process, two pipes, typed methods.

Plain `subprocess` and threads on purpose: where gevent has patched them, as in Locust's process,
waiting for the rig lets everybody else run; where it has not, they are what they seem.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, RigError
from harness.pool_choice import PoolChoice
from harness.rig.limits import LIMIT_SECONDS
from harness.rig.protocol import (
    Call,
    Grown,
    Json,
    Serving,
    Started,
    Stretch,
    call_line,
    raised_error,
    read_grown,
    read_serving,
    read_stretch,
)
from harness.served import owned_process

__all__ = ["Rig", "rig_process"]

_SPARE_SECONDS = 5.0
"""The rig gives up first, and says why; this is for one that is stopped or gone."""
_SHOWN_LINES = 6

Progress = Callable[[str], None]


@contextmanager
def rig_process(
    *, environment: Mapping[str, str] | None = None, progress: Progress | None = None
) -> Iterator[Rig]:
    """A rig for the block; it ends with the block, or with this process, however that ends.

    Args:
        environment: Further variables for it, and for what it starts.
        progress: Told of each of its steps, and of what it and the application say besides; in a
            thread of its own.
    """
    with (
        ExitStack() as stack,
        owned_process(
            [sys.executable, "-m", "harness.rig"],
            environment=environment or {},
            errors_to=subprocess.PIPE,
        ) as process,
    ):
        rig = Rig(process, progress)
        stack.callback(rig.hang_up)  # once it has ended: until then it may still say something
        rig.listen()
        yield rig


@dataclass(slots=True, eq=False)
class Rig:
    """The methods of `harness.rig.bench.Bench`, which runs in the other process.

    Errors are raised here as they were raised there. Calls of several threads take turns.
    """

    process: subprocess.Popen[str]
    progress: Progress | None = None
    _answers: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=_SHOWN_LINES))
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0
    _listeners: list[threading.Thread] = field(default_factory=list)

    def start(self, folder: Path) -> Started:
        """Make a project's database, with tables and rows; see `Bench.start`."""
        return Started(**self._asked("start", folder=str(folder)))

    def serve(
        self,
        pool: PoolChoice | None = None,
        *,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        is_proxied: bool = False,
        is_scratch: bool = False,
        is_echoing: bool = False,
    ) -> Serving:
        """Serve the application, in place of what is served; see `Bench.serve`.

        Args:
            pool: Parameters in place of the application's own.
            workers: Processes.
            environment: Further variables for them.
            is_proxied: Put a proxy between application and server, whose network can be cut.
            is_scratch: On a copy of the database, which `grow_rows` may fill.
            is_echoing: Its engines log what they execute.
        """
        chosen = pool or PoolChoice()
        told = self._asked(
            "serve",
            pool_size=chosen.pool_size,
            max_overflow=chosen.max_overflow,
            pool_timeout=chosen.pool_timeout,
            workers=workers,
            environment=dict(environment or {}),
            is_proxied=is_proxied,
            is_scratch=is_scratch,
            is_echoing=is_echoing,
        )
        return read_serving(told)

    def stop(self) -> None:
        """Stop serving."""
        self._asked("stop")

    def begin_window(self, generator_pids: Iterable[int] = ()) -> None:
        """A stretch of load begins; `generator_pids` are the processes that make it."""
        self._asked("begin_window", generator_pids=list(generator_pids))

    def end_window(self, *, rest_seconds: float = 0.0) -> Stretch:
        """A stretch of load has ended: what server, machine and every process have seen of it.

        Args:
            rest_seconds: How long to wait afterwards until no connection is out.
        """
        return read_stretch(self._asked("end_window", rest_seconds=rest_seconds))

    def begin_trouble(self, name: str, **options: object) -> Json:
        """Make trouble for the application's database; see `harness.rig.troubles`."""
        told: Json = self._asked("begin_trouble", name=name, **options)
        return told

    def end_trouble(self) -> Json:
        """End the trouble, and tell what was done altogether."""
        told: Json = self._asked("end_trouble")
        return told

    @contextmanager
    def trouble(self, name: str, **options: object) -> Iterator[Json]:
        """Trouble for the block."""
        facts = self.begin_trouble(name, **options)
        try:
            yield facts
        except BaseException:
            # After Ctrl-C the rig may be gone, which must not hide what has ended the block.
            with suppress(HarnessError):
                self.end_trouble()
            raise
        self.end_trouble()

    def rows(self, select: str) -> int:
        """The number that a ``SELECT`` gives in the application's database."""
        return int(self._asked("rows", select=select))

    def keys(self, select: str, *, beginning: str) -> Mapping[str, int]:
        """How often each key is in the application's database; see `ledger.keys_by_select`."""
        told: Mapping[str, int] = self._asked("keys", select=select, beginning=beginning)
        return told

    def grow_rows(self, rows: int) -> Grown:
        """Bring every table of the copy to so many further rows; see `Bench.grow_rows`."""
        return read_grown(self._asked("grow_rows", rows=rows))

    @contextmanager
    def statements(self) -> Iterator[Callable[[], Mapping[str, int]] | str]:
        """Count for the block what the server runs for the application.

        Yields:
            What gives the executions by statement since it was called last; or why the server
            does not count.
        """
        why_not = str(self._asked("begin_statements"))
        try:
            yield why_not or (lambda: dict(self._asked("take_statements")))
        finally:
            # After Ctrl-C the rig may be gone, which must not hide what has ended the block.
            with suppress(HarnessError):
                self._asked("end_statements")

    def listen(self) -> None:
        """Begin to read what the rig says; `rig_process` does this."""
        for work in (self._hear_answers, self._hear_progress):
            thread = threading.Thread(target=work, daemon=True, name="rig listener")
            thread.start()
            self._listeners.append(thread)

    def hang_up(self) -> None:
        """Let go of the pipe of a rig that has ended; `rig_process` does this."""
        for thread in self._listeners:
            thread.join(_SPARE_SECONDS)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _asked(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        with self._turn:
            self._number += 1
            self._send(Call(self._number, command, arguments))
            told = self._answer(command)
        if "error" in told:
            raise raised_error(told["error"])
        return told["result"]

    def _send(self, call: Call) -> None:
        if self.process.stdin is None or self.process.stdin.closed:
            raise self._gone(call.command)
        try:
            self.process.stdin.write(call_line(call))
            self.process.stdin.flush()
        except OSError as error:
            raise self._gone(call.command) from error

    def _answer(self, command: str) -> dict[str, Any]:
        limit_seconds = LIMIT_SECONDS[command] + _SPARE_SECONDS
        while True:
            try:
                line = self._answers.get(timeout=limit_seconds)
            except queue.Empty:
                raise RigError(
                    f"the rig did not answer {command!r} within {limit_seconds:.0f} s",
                    where="\n".join(self._said),
                    remedy="end it and begin the measurement again",
                ) from None
            if line is None:
                self._answers.put(None)  # for whoever asks next
                raise self._gone(command)
            told: dict[str, Any] = json.loads(line)
            if told["number"] == self._number:  # an earlier one came too late for its caller
                return told

    def _gone(self, command: str) -> RigError:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_SPARE_SECONDS)
        code = self.process.returncode
        return RigError(
            f"the rig has ended (exit code {code}) before it answered {command!r}",
            where="\n".join(self._said),
            remedy="begin the measurement again",
        )

    def _hear_answers(self) -> None:
        for line in _lines_of(self.process.stdout):
            self._answers.put(line)
        self._answers.put(None)

    def _hear_progress(self) -> None:
        for line in _lines_of(self.process.stderr):
            self._said.append(line.rstrip())
            try:
                if self.progress is not None:
                    self.progress(line.rstrip())
            except Exception as error:  # noqa: BLE001 - a pipe that nobody empties stops the rig
                self._said.append(f"(not shown: {error!r})")


def _lines_of(pipe: Any) -> Iterator[str]:  # noqa: ANN401 - gevent's pipes are objects of its own
    try:
        yield from pipe
    except (OSError, ValueError):  # closed meanwhile by the owner, who does not listen any more
        return
