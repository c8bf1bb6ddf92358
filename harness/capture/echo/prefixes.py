"""Where in a line the message begins: whatever formatters and collectors of logs put before it.

A prefix is read piece by piece from the left. It needs no configuration: what counts is that a
record of the engine's logger says so somewhere before its message, or that the message looks like
SQLAlchemy's. Tags of ``logging_token`` stand in brackets directly before the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.capture.echo.messages import STATISTICS, is_sql_clause, starts_like_sql

__all__ = [
    "Head",
    "head_of",
    "is_engine_logger",
    "message_head",
    "source_of",
    "without_colour",
    "without_logger_behind",
]

_LEVEL = r"TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL"
_COLOUR = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_LOGGER = r"sqlalchemy\.engine(?:\.base)?\.Engine(?:\.[^\s:\]\)|\"',]+)?|sqlalchemy\.engine\.base"
_ENGINE = re.compile(rf"(?<![\w.]){_LOGGER}(?![\w.])")
_ENGINE_NAME = re.compile(rf"(?:{_LOGGER})\Z")
_LONGEST_PREFIX = 300
# structlog writes the logger's name behind the message.
_ENGINE_BEHIND = re.compile(rf"\s+\[(?:{_LOGGER})\](?:\s+\w+=\S+)*\s*\Z")
_SOURCE = re.compile(
    rf"""
    (?!(?:{_LEVEL})\b)
    (?: (?P<compose>[\w.-]+)\ +\|\ ?
    | [A-Z][a-z]{{2}}\ [\ \d]\d\ \d\d:\d\d:\d\d\ \S+\ (?P<journal>[^\s:]+\[\d+\]):\ ?
    | \d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)\ (?P<heroku>\w+\[[\w.-]+\]):\ ?
    | (?P<kubernetes>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{9}}Z)\ (?:std(?:out|err)\ [FP]\ )?
    | (?P<pod>\[pod/[^\]\s]+\])\ ?
    )
    """,
    re.VERBOSE,
)
_PIECE = re.compile(
    rf"""
    (?: \[(?P<bracket>[^\n]{{0,200}}?)\](?=[\s:\[]|\Z)
    | \((?P<round>[^()\n]{{1,80}})\)
    | (?P<time>\d{{1,4}}[-:/.]\d\d[\w:.,/+-]*|\d\d:\d\d[\d:.,]*)
    | (?P<level>{_LEVEL})\b
    | (?P<field>[\w.-]+=\S+)
    | (?P<place>[\w./<>-]+(?::[\w.<>]*:?\d+|\(\d+\)))
    | (?P<word>[\w.@/-]+(?=:\s|\s[|>-]\s))
    | (?P<number>\d+|[A-Z][a-z]{{2}}(?=\ +\d)|AM|PM|Z|UTC)(?![\w.])
    )?
    (?P<gap>:?(?:\s+[|>–—-](?=\s))*\s+|:\s*|(?=\[)|\Z)
    """,  # noqa: RUF001 - people separate with dashes of any length
    re.VERBOSE,
)
_WORD = re.compile(r"[\w.@/:-]+\s+")
_MOST_WORDS = 3
_TOKEN = re.compile(r"\[(?P<tag>[^\[\]]*)\] \Z")
_CLOSING = "])>\"'}"
_NO_TAG = re.compile(
    rf"""\s*(?: (?:{_LEVEL})[:\s\w.]* | [\d:.,/\sTZ+-]* | MainThread | [\w./-]*:\d+ | [\w.]+\.py\S*
    | {_LOGGER} )\s*\Z""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a record: what stands before its message, and the message's first line."""

    prefix: str
    message: str
    tag: str
    is_engine: bool
    """Whether the prefix names the engine's logger."""

    @property
    def is_foreign(self) -> bool:
        """Whether this is a record of somebody else's."""
        return not self.is_engine and not starts_like_sql(self.message)

    @property
    def may_continue_sql(self) -> bool:
        """Whether a collector may have put a prefix before a later line of a statement."""
        is_clause = not self.message.strip() or is_sql_clause(self.message)
        return not self.is_engine and is_clause


def without_colour(line: str) -> str:
    """The line without sequences that steer a terminal."""
    return _COLOUR.sub("", line) if "\x1b" in line else line


def without_logger_behind(line: str) -> str:
    """The line without a logger's name behind its message."""
    if "[sqlalchemy.engine" not in line:
        return line
    return line[:-_LONGEST_PREFIX] + _ENGINE_BEHIND.sub("", line[-_LONGEST_PREFIX:])


def source_of(line: str) -> tuple[str, str]:
    """Split what Docker Compose, journald, Heroku or kubectl put before every line.

    Returns:
        The process that wrote the line, empty if the line does not say, and the rest.
    """
    found = _SOURCE.match(line)
    if found is None:
        return "", line
    kind = str(found.lastgroup)
    name = kind if kind == "kubernetes" else str(found[kind])  # that one stamps, and names nobody
    return name, line[found.end() :]


def is_engine_logger(name: str) -> bool:
    """Whether a logger is the engine's, or of one engine by its ``logging_name``."""
    return _ENGINE_NAME.match(name) is not None


def head_of(line: str) -> Head | None:
    """Find the message in a line that begins a record; None where the line begins none."""
    found = None
    if "sqlalchemy.engine" in line:
        found = _ENGINE.search(line, 0, _LONGEST_PREFIX)
    if found and "'" not in line[: found.start()] and not is_sql_clause(line):
        return message_head(line, line[: found.end()], is_engine=True)
    if starts_like_sql(line):
        return message_head(line, "", is_engine=False)
    head = message_head(line, "", is_engine=False)
    return head if head.prefix else _cut_head(line)


def message_head(line: str, known: str, *, is_engine: bool) -> Head:
    """Read pieces of a prefix until the message begins.

    Args:
        line: The first line of a record.
        known: The part that is prefix for sure.
        is_engine: Whether that names the engine's logger.
    """
    at = len(known)
    at += len(line[at:]) - len(line[at:].lstrip(_CLOSING)) if at else 0
    tag, is_record, words = "", is_engine, list[int]()
    while at < min(len(line), _LONGEST_PREFIX) and not _is_start(line, at):
        if is_sql_clause(line[at : at + _LONGEST_PREFIX]):
            break  # a later line of a statement, stamped by a collector
        piece = _PIECE.match(line, at)
        if piece is not None and piece.end() > at:
            is_record |= piece["time"] is not None or piece["level"] is not None
            tag = _tag_in(piece["bracket"], is_engine=is_engine)
            at = piece.end()
        # Words of no known form, such as a service's name, if a message follows after a few.
        elif is_record and len(words) < _MOST_WORDS and (word := _WORD.match(line, at)):
            words.append(at)
            tag, at = "", word.end()
        else:
            break
    if words and not _is_start(line, at):
        tag, at = "", words[0]
    if is_record or _is_start(line, at):
        return Head(line[:at], line[at:], tag, is_engine)
    return Head("", line, "", is_engine=False)


def _is_start(line: str, at: int) -> bool:
    return starts_like_sql(line[at : at + _LONGEST_PREFIX])


def _cut_head(line: str) -> Head | None:
    """Parameters behind whatever the beginning of a log has left of a prefix."""
    found = STATISTICS.search(line, 0, _LONGEST_PREFIX) if "] " in line else None
    if found is None or "'" in line[: found.start()]:
        return None
    token = _TOKEN.search(line[: found.start()])
    tag = _tag_in(token["tag"] if token else None, is_engine=True)
    return Head(line[: found.start()], line[found.start() :], tag, is_engine=False)


def _tag_in(bracket: str | None, *, is_engine: bool) -> str:
    """Behind the logger's name a number may well be a token; elsewhere it is a process."""
    if bracket is None or (_NO_TAG.match(bracket) and not (is_engine and bracket.isdigit())):
        return ""
    return bracket
