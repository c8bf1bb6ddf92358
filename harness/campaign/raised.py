"""What a served application raised while it was loaded: clients see a 500, its log says why.

Read from the log of what we serve ourselves, from where it stood as the load began, so that nothing
of its start is told as the reason. One line: what follows it may hold statements and their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

__all__ = ["last_raised", "log_bytes"]

_TRACEBACK = re.compile(
    r"(?P<margin>[ +|]*)(Exception Group )?Traceback \(most recent call last\):\s*"
)
"""A whole line: what has it among other text, as a log of JSON, does not end as tracebacks do."""
_READ_BYTES = 1 << 18
"""Of the end of a log; a traceback through a whole framework takes some 10 kB."""
_MOST_CHARACTERS = 200
_PASSWORD = re.compile(r"(://[^\s:/@]*:)\S*(@)|(\bpassword\s*=\s*)('[^']*'|\S+)", re.IGNORECASE)
_VALUE = re.compile(r"(\binvalid (?:input|byte)[^:]*): .*")
"""How both drivers begin what ends with a bind value."""
_CONVERTED = re.compile(r"(\(builtins\.\w+\)[^'\"]*|\bLookupError: )['\"].*")
"""What SQLAlchemy's types say of one that they cannot convert."""
_DETAIL = re.compile(
    r"(?:\\n)?(?:DETAIL:|CONTEXT:|LINE \d+:|Failing row|Key \(|\[SQL:|\[parameters:).*"
)
"""Lines of their own, unless somebody has put them into one: they hold rows and statements."""
_NUMBER = re.compile(r'"\s*[-+]?\d+\s*"')
_QUOTED = re.compile(
    r"(\b(?:relation|table|view|column|constraint|index|sequence|schema|type|extension|encoding|"
    r"statement|cursor|savepoint|parameter|database|role|user|host|host name|server at|socket) "
    r'"[^"]*"|"…")|".*'
)
"""The server quotes names and values alike, and nothing in them is escaped: where it is no name,
nobody can tell where it ends."""


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
        Without passwords and bind values; empty where no traceback was written meanwhile.
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
        if (traceback := _TRACEBACK.fullmatch(lines[number])) is None:
            continue
        if told := _ending(lines[number + 1 :], traceback["margin"].replace("+", "|")):
            yield told


def _ending(lines: Iterable[str], margin: str) -> str:
    """The first line of a traceback that is not indented; empty where it is cut off before."""
    within = takewhile(lambda line: line.startswith(margin), lines)
    behind = (line.removeprefix(margin) for line in within)
    return next((line for line in behind if line and not line[0].isspace()), "")


def _shown(exception: str) -> str:
    told = _PASSWORD.sub(r"\1\3***\2", _without_values(exception)).strip()
    return told if len(told) <= _MOST_CHARACTERS else f"{told[: _MOST_CHARACTERS - 1]}…"


def _without_values(message: str) -> str:
    told = _VALUE.sub(r"\1", _CONVERTED.sub(r"\1…", _DETAIL.sub("", message)))
    return _QUOTED.sub(lambda quoted: quoted[1] or "…", _NUMBER.sub('"…"', told))
