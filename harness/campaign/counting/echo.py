"""Counts from the echo log of the application alone: no probe, nothing installed there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from harness.capture.echo import EchoReader, EchoTallier
from harness.errors import MisuseError, NoEchoError

__all__ = ["EchoSource", "no_such_log"]

_QUIET_SECONDS = 0.03
_LOOK_SECONDS = 0.005
_MOST_SECONDS = 5.0
"""For a log that is never quiet, as under somebody else's load."""


class EchoSource:
    """The part of a log that was added since the last look.

    Args:
        log: Where the application writes it.

    Raises:
        MisuseError: There is no such file.
    """

    name = "the application's echo log"

    def __init__(self, log: Path) -> None:
        if not log.is_file():
            raise no_such_log(log)
        self._log = log
        self._read_bytes = log.stat().st_size
        self._messages = 0
        self._lines = 0

    def take(self) -> Mapping[str, int]:
        """Statements since the last time, once the log is quiet.

        Raises:
            NoEchoError: The log was cut.
        """
        end_bytes = self._quiet_size()
        if end_bytes < self._read_bytes:
            raise NoEchoError("the echo log became shorter while it was read", where=str(self._log))
        with self._log.open("rb") as stream:
            stream.seek(self._read_bytes)
            added = stream.read(end_bytes - self._read_bytes)
        self._read_bytes = end_bytes
        return self._statements(added)

    def doubt(self, requests: int) -> str:
        """A log without any line of the echo says nothing, least of all that nothing ran."""
        if self._messages:
            return ""
        # Of an application that we serve it is a number: `output_file` has no name.
        name = self._log.name if self._log.suffix else "its log"
        return (
            f"{requests} requests, and no line of SQLAlchemy's echo among {self._lines} lines of "
            f"{name}: is echo=True set, and did logging stay as it was?"
        )

    def _statements(self, added: bytes) -> Mapping[str, int]:
        tallier = EchoTallier()
        reader = EchoReader(tallier)
        for line in added.splitlines():
            reader.read(line)
        reader.finish()
        tally = tallier.tally(lines=reader.lines)
        self._messages += tally.messages
        self._lines += tally.lines
        ran = Counter({each.shape.text: each.statements for each in tally.shapes})
        # The table of shapes is bounded, the count is not.
        ran["(unlisted)"] += tally.unlisted_statements
        return +ran

    def _quiet_size(self) -> int:
        """Its size, once nothing was added for a moment: what follows an answer, such as COMMIT."""
        until_seconds = time.monotonic() + _MOST_SECONDS
        size, since_seconds = self._size(), time.monotonic()
        while (now_seconds := time.monotonic()) < until_seconds:
            if now_seconds - since_seconds >= _QUIET_SECONDS:
                break
            time.sleep(_LOOK_SECONDS)
            if (grown := self._size()) != size:
                size, since_seconds = grown, time.monotonic()
        return size

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError as error:
            raise NoEchoError(f"the echo log is gone: {error}", where=str(self._log)) from error


def no_such_log(log: Path) -> MisuseError:
    """For whoever looks before the load, and for whoever opens it."""
    return MisuseError(f"there is no echo log {log}", remedy="name the file by --echo-log")
