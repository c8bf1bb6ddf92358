"""How far a verb is: steps as lines that stay; on a terminal, the present detail beside a spinner.

In the log of a CI job nothing moves, so there the detail, or the step again, is a line every few
seconds: a job that says nothing for long is taken for dead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status
from rich.text import Text

from harness.report.columns import wrapped

__all__ = ["Progress"]

_SILENCE_SECONDS = 9.0
_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Progress:
    """Told of every step by what is at work.

    Args:
        console: Where to show it.
        silence_seconds: Most seconds without a line where there is no terminal.
    """

    console: Console
    silence_seconds: float = _SILENCE_SECONDS
    _began: float = field(default_factory=time.perf_counter)
    _spoke: float = field(default_factory=time.perf_counter)
    _spinner: Status | None = None
    _current: str = ""
    _detail: str = ""

    @contextmanager
    def shown(self) -> Iterator[Progress]:
        """Show it for the block."""
        if not self.console.is_terminal:
            with self._never_silent():
                yield self
            return
        with self.console.status("") as spinner:
            self._spinner = spinner
            try:
                yield self
            finally:
                self._spinner = None

    def step(self, text: str) -> None:
        """A new step begins."""
        self._current, self._detail = text, ""
        self._print(text)
        if self._spinner is not None:
            self._spinner.update(Text(text))

    def detail(self, text: str) -> None:
        """What the step is working on."""
        self._detail = text
        if self._spinner is not None:
            self._spinner.update(Text.assemble(self._current, "  ", (text, "dim")))
        else:
            self._break_silence()

    @contextmanager
    def _never_silent(self) -> Iterator[None]:
        """Some steps say nothing while they work: somebody else has to."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(min(_LOOK_SECONDS, max(0.01, self.silence_seconds))):
                self._break_silence()

        watcher = threading.Thread(target=watch, daemon=True, name="progress")
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _break_silence(self) -> None:
        text = self._detail or (self._current and f"still: {self._current}")
        if text and time.perf_counter() - self._spoke >= self.silence_seconds:
            self._print(f"  {text}")

    def _print(self, text: str) -> None:
        self._spoke = time.perf_counter()
        seconds = self._spoke - self._began
        time_told = f"{seconds:5.1f} s"
        indent = " " * (len(text) - len(text.lstrip()))
        start = f"{time_told}  {indent}"
        lines = wrapped(text, width=self.console.width - len(start)) or [""]
        # No markup: routes and messages of the application have square brackets of their own.
        told = Text(f"\n{'':{len(start)}}".join([start + lines[0], *lines[1:]]))
        told.stylize("dim", 0, len(time_told))
        self.console.print(told, soft_wrap=True)
