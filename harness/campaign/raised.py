"""What a served application raised while it was loaded: clients see a 500, its log says why.

Read from the log of what we serve ourselves, from where it stood as the load began, so that nothing
of its start is told as the reason. One line: what follows it may hold statements and their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["last_raised", "log_bytes"]

_TRACEBACK = "Traceback (most recent call last):"
_READ_BYTES = 1 << 18
"""Of the end of a log; a traceback through a whole framework takes some 10 kB."""
_MOST_CHARACTERS = 200
_PASSWORD = re.compile(r"(://[^\s:/@]*:)\S*(@)|(\bpassword\s*=\s*)('[^']*'|\S+)", re.IGNORECASE)
_VALUE = re.compile(r"(invalid input[^:]*): .*")
"""How both drivers begin what ends with a bind value."""


def log_bytes(log: str) -> int:
    """How long a log is at this moment; 0 where there is none."""
    try:
        return Path(log).stat().st_size if log else 0
    except OSError:
        return 0


def last_raised(log: str, *, since_bytes: int) -> str:
    """The exception of the last traceback in a log, with its message, in one line.

    Args:
        log: Path of the file; empty where there is none.
        since_bytes: What was written before is not looked at.

    Returns:
        Without passwords; empty where no traceback was written meanwhile.
    """
    if not log:
        return ""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(since_bytes, log_bytes(log) - _READ_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:  # it goes with what is served
        return ""
    return _shown(next(_exceptions(text.splitlines()), ""))


def _exceptions(lines: list[str]) -> Iterator[str]:
    """The last first. A traceback of a group stands behind bars, and so does what it ends with."""
    for number in range(len(lines) - 1, -1, -1):
        margin, is_traceback, _ = lines[number].partition(_TRACEBACK)
        if not is_traceback:
            continue
        width = len(margin.replace("+", "|"))
        behind = (line[width:] for line in lines[number + 1 :])
        if told := next((line for line in behind if line and not line[0].isspace()), ""):
            yield told


def _shown(exception: str) -> str:
    told = _PASSWORD.sub(r"\1\3***\2", _VALUE.sub(r"\1", exception)).strip()
    return told if len(told) <= _MOST_CHARACTERS else f"{told[: _MOST_CHARACTERS - 1]}…"
