"""Reads logs that tests write as text."""

from __future__ import annotations

import re

from harness.capture.echo import EchoReader, EchoTallier, EchoTally


def read(log: str | bytes, *, tag: str | None = None) -> EchoTally:
    """What a log adds up to."""
    tallier = EchoTallier()
    reader = EchoReader(tallier, tag=re.compile(tag) if tag else None)
    for line in (log.encode() if isinstance(log, str) else log).splitlines(keepends=True):
        reader.read(line)
    reader.finish()
    return tallier.tally(lines=reader.lines)
