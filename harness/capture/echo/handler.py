"""Counting the echo log in the process that writes it, without a change to what anybody sees.

A handler hangs on the parent of the engines' logger: on that logger itself it would keep SQLAlchemy
from adding its own (``echo=True`` prints only where nobody else handles). Loggers that do not
propagate get a filter that lets everything pass. No level is changed: what the log does not say is
not counted, and `EchoCounter.required_tally` says why.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from harness.capture.echo.messages import Parameters, meaning_of
from harness.capture.echo.prefixes import is_engine_logger
from harness.capture.echo.tallier import EchoTallier
from harness.capture.echo.tally import EchoTally
from harness.errors import NoEchoError

__all__ = ["EchoCounter"]

_ENGINE = "sqlalchemy.engine.Engine"
_PARENT = "sqlalchemy.engine"
_PARAMETERS = "[%s] %r"


class _Ear(logging.Handler):
    """A handler; and, as `overhear`, a filter that lets everything pass."""

    def __init__(self, counter: EchoCounter) -> None:
        super().__init__()
        self._counter = counter
        self._last = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        self.overhear(record)
        if record.levelno >= logging.WARNING and _handlers_of(record.name) == [self]:
            last_resort = logging.lastResort
            if last_resort is not None:  # without us it would have been printed
                last_resort.handle(record)

    def overhear(self, record: logging.LogRecord) -> bool:
        """Count a record, once even where it comes both ways."""
        if getattr(self._last, "record", None) is not record:
            self._last.record = record
            self._counter.on_record(record)
        return True


@dataclass(slots=True, eq=False)
class EchoCounter:
    """Counts what SQLAlchemy logs while it is entered.

    ``with EchoCounter() as counter: ...`` needs engines with ``echo=True``, or the level INFO on
    the logger ``sqlalchemy.engine``, and leaves both as they are.
    """

    tallier: EchoTallier = field(default_factory=EchoTallier)
    _ear: _Ear | None = None
    _filtered: list[logging.Logger] = field(default_factory=list)
    _failure: Exception | None = None

    def __enter__(self) -> Self:
        ear = self._ear = _Ear(self)
        logging.getLogger(_PARENT).addHandler(ear)
        for logger in _engine_loggers():
            if not _reaches_parent(logger):
                logger.addFilter(ear.overhear)
                self._filtered.append(logger)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ear, self._ear = self._ear, None
        if ear is None:
            return
        logging.getLogger(_PARENT).removeHandler(ear)
        while self._filtered:
            self._filtered.pop().removeFilter(ear.overhear)
        ear.close()

    def on_record(self, record: logging.LogRecord) -> None:
        """Count a record; whatever goes wrong here is kept, and never the application's problem."""
        if record.levelno < logging.INFO or not is_engine_logger(record.name):
            return
        try:
            self._count(record)
        except Exception as error:  # noqa: BLE001 - the application's logging must go on
            self._failure = self._failure or error

    def tally(self) -> EchoTally:
        """Everything so far, which may be nothing."""
        return self.tallier.tally()

    def required_tally(self) -> EchoTally:
        """Everything so far.

        Raises:
            NoEchoError: If nothing arrived, or something arrived that could not be counted.
        """
        tally = self.tally()
        if self._failure is not None:
            raise NoEchoError(
                f"a log record could not be counted: {self._failure!r}",
                where=f"{tally.statements} statements were",
                remedy="The counts are too low. Count with `harness.recording` instead.",
            ) from self._failure
        if tally.messages == 0:
            raise NoEchoError(
                "no record of SQLAlchemy's engines arrived",
                where="; ".join(self.obstacles()),
                remedy="create_engine(url, echo=True), or "
                'logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)',
            )
        return tally

    def obstacles(self) -> tuple[str, ...]:
        """What keeps records of the engines from arriving here, as far as loggers tell."""
        return tuple(_obstacles(self._ear, self._filtered))

    def _count(self, record: logging.LogRecord) -> None:
        tag, message = _untagged(record)
        said = _parameters(message, record) or meaning_of(message)
        self.tallier.hear(said, source=_source(), tag=tag)


def _source() -> str:
    """The thread and the task: two messages of one execution are neighbours in both."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop in this thread
        task = None
    return f"{threading.get_ident()}/{id(task) if task else 0}"


def _untagged(record: logging.LogRecord) -> tuple[str, str]:
    """The token before the message, and the message without its arguments."""
    # The slice copies the characters: the text of a bulk INSERT shortens itself in `str()`.
    message = record.msg[:] if isinstance(record.msg, str) else str(record.msg)
    if message.startswith("[") and not message.startswith("[%s] "):
        token, is_token, rest = message[1:].partition("] ")
        if is_token:
            return token, rest
    return "", message


def _parameters(message: str, record: logging.LogRecord) -> Parameters | None:
    """Parameters, told by the arguments of the record: their values are not even formatted."""
    arguments = list(record.args) if isinstance(record.args, tuple) else []
    if not message.startswith("[%s] ") or not arguments:
        return None
    statistics, *parameters = arguments
    # The one attribute that is read of SQLAlchemy's own object; without it nothing is `is_many`.
    is_many = any(getattr(each, "ismulti", False) is True for each in parameters)
    said = meaning_of(f"[{statistics}] {'[(' if is_many else '('}")
    return said if isinstance(said, Parameters) else None


def _engine_loggers() -> Iterator[logging.Logger]:
    known = logging.Logger.manager.loggerDict
    yield logging.getLogger(_ENGINE)
    for name in list(known):
        logger = known.get(name)
        if name.startswith(f"{_ENGINE}.") and isinstance(logger, logging.Logger):
            yield logger


def _reaches_parent(logger: logging.Logger) -> bool:
    current: logging.Logger | None = logger
    while current is not None and current.name != _PARENT:
        if not current.propagate:
            return False
        current = current.parent
    return True


def _handlers_of(name: str) -> list[logging.Handler]:
    """Everybody who is handed a record of this logger."""
    handlers: list[logging.Handler] = []
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None
    return handlers


def _obstacles(ear: _Ear | None, filtered: list[logging.Logger]) -> Iterator[str]:
    if logging.root.manager.disable >= logging.INFO:
        yield "logging.disable() is in effect"
    if ear is not None and ear not in logging.getLogger(_PARENT).handlers:
        yield "a later logging configuration removed the counter's handler"
    for logger in _engine_loggers():
        if logger.disabled:
            yield f"a logging configuration disabled {logger.name} (disable_existing_loggers)"
        elif not _reaches_parent(logger) and logger not in filtered:
            yield f"{logger.name} stopped to propagate (propagate = False)"
        elif logger.name == _ENGINE and not logger.isEnabledFor(logging.INFO):
            level = logging.getLevelName(logger.getEffectiveLevel())
            yield f"the level of {logger.name} is {level}: engines without echo say nothing"
