"""From the lines of a log to messages: records of several lines put together, others left out.

One line at a time, so that a pipe can be followed and a file of any size read: what is kept is the
one record that may go on, of each process that writes into the log.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from harness.capture.echo.messages import Said, Sql, meaning_of, starts_like_sql
from harness.capture.echo.prefixes import (
    Head,
    head_of,
    is_engine_logger,
    message_head,
    source_of,
    without_colour,
    without_logger_behind,
)
from harness.capture.echo.structured import Fields, fields_of

__all__ = ["EchoReader", "Listener", "bounded_lines"]

_LONGEST_LINE_BYTES = 1 << 20
_LONGEST_RECORD = 1 << 18
_MOST_SOURCES = 1000


class Listener(Protocol):
    """Whoever counts."""

    def hear(self, said: Said, *, source: str = "", tag: str = "") -> None:
        """Called with every message, in the order of the log.

        Args:
            said: What it says.
            source: The process or thread that it comes from, as far as the log tells.
            tag: The token of its request, if the log has any.
        """


@dataclass(slots=True)
class _Open:
    """A statement that may go on with the next line of its source."""

    lines: list[str]
    tag: str
    is_engine: bool
    length: int = 0
    is_complete: bool = True

    def extend(self, line: str) -> None:
        self.length += len(line) + 1
        self.is_complete = self.is_complete and self.length <= _LONGEST_RECORD
        if self.is_complete:
            self.lines.append(line)


@dataclass(slots=True, eq=False)
class EchoReader:
    """Reads a log line by line and tells a listener what the engines say in it.

    Args:
        listener: Told of each message.
        tag: Searched in the part of a record that is not its message; its first group is the
            record's tag. Without it the tag is the ``logging_token``.
    """

    listener: Listener
    tag: re.Pattern[str] | None = None
    lines: int = 0
    """Read so far."""
    _open: OrderedDict[str, _Open] = field(default_factory=OrderedDict)
    _sources: set[str] = field(default_factory=set)

    def read(self, line: bytes) -> None:
        """Read the next line, with or without its end."""
        self.lines += 1
        text = line.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
        self._read(without_colour(text))

    def finish(self) -> None:
        """Tell what is open: the log has ended, or somebody wants to know how far it is."""
        for source in list(self._open):
            self._close(source)

    def _read(self, line: str) -> None:
        source, rest = source_of(line)
        if source and not self._is_known(source, rest):
            source, rest = "", line
        fields = fields_of(rest)
        if fields is None:
            self._read_text(source, without_logger_behind(rest))
        elif fields.is_line:
            self._read(fields.message)
        else:
            self._read_fields(source, rest, fields)

    def _is_known(self, source: str, rest: str) -> bool:
        """What looks like a process is one only if it ever begins a record of the engine's."""
        if source not in self._sources and len(self._sources) < _MOST_SOURCES:
            head = head_of(rest)
            if fields_of(rest) or (head is not None and not head.is_foreign):
                self._sources.add(source)
        return source in self._sources

    def _read_text(self, source: str, line: str) -> None:
        head = head_of(line)
        is_open = source in self._open
        if head is None or (is_open and self._goes_on(self._open[source], head)):
            if is_open:
                self._open[source].extend(line if head is None else head.message)
        elif head.is_foreign:
            self._close(source)
        else:
            self._begin(source, head)

    @staticmethod
    def _goes_on(record: _Open, head: Head) -> bool:
        """Whether what looks like the beginning of a record is a later line of this one."""
        if head.may_continue_sql and head.prefix:
            return not starts_like_sql(head.message)
        # Where nothing is put before a message, only its words tell: parameters end a statement.
        said = meaning_of(head.message)
        return not head.prefix and not record.is_engine and isinstance(said, Sql)

    def _read_fields(self, source: str, line: str, fields: Fields) -> None:
        self._close(source)
        if fields.logger and not is_engine_logger(fields.logger):
            return
        is_engine = bool(fields.logger)
        head = message_head(fields.message, "", is_engine=is_engine)
        tag = self._tag(line, head.tag)
        message = head.message if is_engine or starts_like_sql(head.message) else ""
        if message:
            self._tell(source, tag, message, is_engine=is_engine)

    def _begin(self, source: str, head: Head) -> None:
        self._close(source)
        tag = self._tag(head.prefix, head.tag)
        said = meaning_of(head.message, is_certain=head.is_engine)
        if not isinstance(said, Sql):
            self.listener.hear(said, source=source, tag=tag)
            return
        self._open[source] = _Open([head.message], tag, head.is_engine)
        if len(self._open) > _MOST_SOURCES:
            self._close(next(iter(self._open)))

    def _close(self, source: str) -> None:
        record = self._open.pop(source, None)
        if record is not None:
            message = "\n".join(record.lines)
            self._tell(
                source,
                record.tag,
                message,
                is_engine=record.is_engine,
                is_complete=record.is_complete,
            )

    def _tell(
        self, source: str, tag: str, message: str, *, is_engine: bool, is_complete: bool = True
    ) -> None:
        said = meaning_of(message)
        if isinstance(said, Sql):
            is_certain = is_engine and starts_like_sql(message.lstrip())
            said = Sql(message, is_certain=is_certain, is_complete=is_complete)
        self.listener.hear(said, source=source, tag=tag)

    def _tag(self, around: str, token: str) -> str:
        if self.tag is None:
            return token
        found = self.tag.search(around)
        return (found[1] or "") if found else ""


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a stream as they come; of a line longer than a mebibyte, its beginning."""
    while line := stream.readline(_LONGEST_LINE_BYTES):
        yield line
        while not line.endswith(b"\n") and (line := stream.readline(_LONGEST_LINE_BYTES)):
            pass
