"""Adds messages up: which of them are one execution, one statement, one transaction.

Counts are made where the parameters come, since they come with every cursor execution and with
nothing else; the text is the last one before that has none yet. A text whose parameters never
come, because a filter keeps them out of the log, counts when its transaction ends.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from harness.capture.echo.messages import Boundary, Kind, Parameters, Said, Sql
from harness.capture.echo.shapes import is_transaction_control, shape_of
from harness.capture.echo.tables import ShapeTable, TagTable
from harness.capture.echo.tally import EchoTally, TransactionCount
from harness.capture.echo.windows import Window
from harness.capture.fingerprint import Fingerprint

__all__ = ["EchoTallier"]

_MOST_STREAMS = 5000
_MOST_WAITING = 64
_REPEATS_FROM = 5
_UNKNOWN = Fingerprint(id="0" * 12, text="(unknown)")
# Asked once per engine on a connection that has no events; see `Dialect.initialize`.
_SETUPS = frozenset(
    {
        "select pg_catalog.version()",
        "select current_schema()",
        "show standard_conforming_strings",
        "show transaction isolation level",
        "SELECT DATABASE()",
        "SELECT @@sql_mode",
        "SELECT @@lower_case_table_names",
        "SELECT @@transaction_isolation",
    }
)


@dataclass(slots=True)
class _Stream:
    """What one source says under one tag."""

    waiting: list[Sql] = field(default_factory=list)
    """Texts whose parameters are still to come."""
    owed: int = 0
    """Texts that were counted without their parameters, which may yet come."""
    window: Window = field(default_factory=Window)
    ended: Kind | None = None
    """The end of a transaction, if it is the last that was said."""

    def take(self, parameters: Parameters) -> Sql | None:
        """The text that the parameters belong to: nearly always the last one."""
        for index in range(len(self.waiting) - 1, -1, -1):
            is_insert = "INSERT" in self.waiting[index].text[:200].upper()
            if is_insert or not parameters.batch:
                return self.waiting.pop(index)
        return None


@dataclass(slots=True, eq=False)
class EchoTallier:
    """Counts what it hears; `tally` tells how far it is. May be used from several threads.

    Args:
        repeats_from: How often a transaction must run one shape for it to be a repetition.
    """

    repeats_from: int = _REPEATS_FROM
    _counts: Counter[str] = field(default_factory=Counter)
    _streams: OrderedDict[tuple[str, str], _Stream] = field(default_factory=OrderedDict)
    _closed: Counter[tuple[int, bool, bool]] = field(default_factory=Counter)
    """Transactions by their statements, and whether they have a tag, and are shared."""
    _most_open: int = 0
    _shapes: ShapeTable = field(init=False)
    _tags: TagTable = field(default_factory=TagTable)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._shapes = ShapeTable(self.repeats_from)

    def hear(self, said: Said, *, source: str = "", tag: str = "") -> None:
        """Count a message.

        Args:
            said: What it says.
            source: The process or thread that it comes from, as far as the log tells.
            tag: The token of its request, if the log has any.
        """
        with self._lock:
            stream = self._stream(source, tag)
            if isinstance(said, Sql):
                self._text(stream, tag, said)
            elif isinstance(said, Parameters):
                self._execution(stream, tag, said)
            elif isinstance(said, Boundary):
                self._boundary(stream, tag, said.kind)
            else:
                self._counts["messages"] += 1

    @property
    def statements(self) -> int:
        """Counted so far; cheap, for those who wait."""
        return self._counts["statements"]

    def tally(self, *, lines: int = 0) -> EchoTally:
        """Everything so far, as if the log ended here: open transactions count as they are."""
        with self._lock:
            for (_, tag), stream in self._streams.items():
                self._settle(stream, tag)
            return self._tally(lines)

    def _tally(self, lines: int) -> EchoTally:
        counts, tags = self._counts, self._tags.units()
        shapes, closed = self._with_open_windows()
        return EchoTally(
            lines=lines,
            messages=counts["messages"],
            statements=counts["statements"],
            round_trips=counts["round trips"],
            executemany=counts["executemany"],
            setups=counts["setups"],
            begins=counts[Kind.BEGIN],
            commits=counts[Kind.COMMIT],
            rollbacks=counts[Kind.ROLLBACK],
            savepoints=counts["savepoints"],
            shapes=shapes.counts(),
            tags=self._tags.counts(),
            tag_count=tags.count,
            by_tag=tags,
            transactions=tuple(
                TransactionCount(*kind, number) for kind, number in sorted(closed.items())
            ),
            most_open=self._most_open,
            repeats_from=self.repeats_from,
            cut=counts["cut"],
            textless=counts["textless"],
            unlisted_statements=shapes.unlisted,
        )

    def _with_open_windows(self) -> tuple[ShapeTable, Counter[tuple[int, bool, bool]]]:
        shapes, closed = self._shapes.copy(), self._closed.copy()
        for (_, tag), stream in self._streams.items():
            window = stream.window
            if window.statements:
                closed[window.statements, bool(tag), window.is_shared] += 1
                shapes.close(window, tag)
        return shapes, closed

    def _stream(self, source: str, tag: str) -> _Stream:
        stream = self._streams.get((source, tag))
        if stream is None:
            stream = self._streams[source, tag] = _Stream()
            if len(self._streams) > _MOST_STREAMS:
                (_, silent), oldest = self._streams.popitem(last=False)
                self._settle(oldest, silent)
                self._close(oldest, silent)
        else:
            self._streams.move_to_end((source, tag))
        return stream

    def _text(self, stream: _Stream, tag: str, sql: Sql) -> None:
        stream.ended = None
        stream.waiting.append(sql)
        if len(stream.waiting) > _MOST_WAITING:
            self._unconfirmed(stream, tag, stream.waiting.pop(0))

    def _execution(self, stream: _Stream, tag: str, parameters: Parameters) -> None:
        self._counts["messages"] += 1
        sql = stream.take(parameters)
        if sql is not None:
            self._counts["messages"] += 1
            self._count(stream, tag, sql, parameters)
        elif stream.owed:
            stream.owed -= 1
        elif stream.ended is not None:  # what looked like the connection's word was a statement
            self._counts[stream.ended] -= 1
            self._counts["savepoints"] += 1
        else:
            self._counts["textless"] += 1
            self._count(stream, tag, None, parameters)
        stream.ended = None

    def _count(self, stream: _Stream, tag: str, sql: Sql | None, parameters: Parameters) -> None:
        if sql is not None and is_transaction_control(sql.text):
            self._counts["savepoints"] += 1
        elif sql is not None and parameters.is_raw and sql.text.strip() in _SETUPS:
            self._counts["setups"] += 1
        else:
            self._round_trip(stream, tag, _shape(sql, parameters), parameters)

    def _round_trip(
        self, stream: _Stream, tag: str, shape: Fingerprint, parameters: Parameters
    ) -> None:
        is_statement = parameters.batch <= 1
        self._counts["round trips"] += 1
        self._counts["statements"] += is_statement
        self._counts["executemany"] += parameters.is_many
        self._shapes.add(shape, is_statement=is_statement)
        if is_statement:
            stream.window.add(shape.id)
        if tag:
            self._tags.add(tag, shape, is_statement=is_statement)

    def _boundary(self, stream: _Stream, tag: str, kind: Kind) -> None:
        self._counts["messages"] += 1
        self._counts[kind] += 1
        if kind is Kind.BEGIN:
            if stream.window.open == 0:
                self._settle(stream, tag)
                self._close(stream, tag)
            stream.window.begin()
            self._most_open = max(self._most_open, stream.window.open)
            if tag:
                self._tags.begin(tag)
        elif stream.window.end():
            self._settle(stream, tag)
            self._close(stream, tag)
        stream.ended = None if kind is Kind.BEGIN else kind

    def _settle(self, stream: _Stream, tag: str) -> None:
        """Nothing more comes for what waits."""
        waiting, stream.waiting = stream.waiting, []
        for sql in waiting:
            self._unconfirmed(stream, tag, sql)

    def _unconfirmed(self, stream: _Stream, tag: str, sql: Sql) -> None:
        if sql.is_certain:
            self._counts["messages"] += 1
            self._counts["cut"] += 1
            stream.owed += 1
            self._count(stream, tag, sql, Parameters())

    def _close(self, stream: _Stream, tag: str) -> None:
        window, stream.window = stream.window, Window()
        if window.most_open or window.statements:
            self._closed[window.statements, bool(tag), window.is_shared] += 1
            self._shapes.close(window, tag)


def _shape(sql: Sql | None, parameters: Parameters) -> Fingerprint:
    if sql is None:
        return _UNKNOWN
    return shape_of(sql.text, is_raw=parameters.is_raw, is_batch=parameters.batch > 0)
