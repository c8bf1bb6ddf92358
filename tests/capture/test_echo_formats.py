"""The same counts from whatever a formatter, a collector or a terminal made of the log."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.engine import Engine

from harness.capture.echo import EchoTally
from target_app.models import User
from target_app.models.declarative import Base
from tests.capture.echo_logs import read

DEFAULT = "%(asctime)s %(levelname)s %(name)s %(message)s"

TEXT_FORMATS = [
    DEFAULT,
    "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "%(levelname)s:%(name)s:%(message)s",
    "%(levelname)-5.5s [%(name)s] %(message)s",
    "%(asctime)s [%(process)d] [%(levelname)s] %(name)s: %(message)s",
    "[%(asctime)s] [%(levelname)s] [%(name)s] [%(filename)s:%(lineno)d] %(message)s",
    "%(asctime)s | %(levelname)-8s | %(name)s:%(funcName)s:%(lineno)d - %(message)s",
    "%(asctime)s %(name)s %(threadName)s(%(thread)d) %(levelname)s: %(message)s",
    "%(levelname)s:     %(message)s",
    "%(asctime)s [%(levelname)s] %(message)s",
    "%(asctime)s %(message)s",
    "%(asctime)s shop-api %(message)s",
    "[%(asctime)s][%(levelname)s] %(message)s",
    "%(message)s",
]


@contextmanager
def _logged(handler: logging.Handler, level: int = logging.INFO) -> Iterator[None]:
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


class _JsonFormatter(logging.Formatter):
    """One object per record, its message and logger under the names that a library uses."""

    def __init__(self, message: str, logger: str) -> None:
        super().__init__()
        self._names = (message, logger)

    def format(self, record: logging.LogRecord) -> str:
        message, logger = self._names
        content = {"level": "info", logger: record.name, message: record.getMessage()}
        return json.dumps({"timestamp": "2030-01-02T03:04:05Z", **content})


def _scenario(engine: Engine) -> None:
    """11 statements in 13 round trips, 3 transactions, 2 statements about savepoints."""
    new = [{"email": f"{n}@example.org", "name": "N", "password_hash": "-"} for n in range(3)]
    with engine.begin() as connection:
        connection.execute(insert(User).returning(User.id, sort_by_parameter_order=True), new)
    with engine.connect() as connection:
        for user_id in range(6):
            connection.execute(select(User.id, User.name).where(User.id == user_id)).all()
        connection.execute(select(User.id).where(User.id.in_([1, 2, 3])))
        with connection.begin_nested():
            connection.exec_driver_sql("select 'a [raw sql] (b'\n\nfrom users")
        connection.rollback()
    with engine.connect().execution_options(logging_token="request 7") as connection:
        connection.execute(text("SELECT id\nFROM users -- all of them\nWHERE id > :id"), {"id": 1})
        connection.execute(insert(User), new_emails())
        connection.commit()


def new_emails() -> list[dict[str, str]]:
    return [{"email": f"x{n}@example.org", "name": "N", "password_hash": "-"} for n in range(2)]


def _log_of(formatter: logging.Formatter, level: int = logging.INFO) -> str:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    with _logged(handler, level):
        _scenario(engine)
    engine.dispose()
    return stream.getvalue()


@pytest.fixture(scope="module")
def expected() -> EchoTally:
    return read(_log_of(logging.Formatter(DEFAULT)))


def _figures(tally: EchoTally) -> tuple[object, ...]:
    shapes = tuple((each.shape.text, each.statements, each.round_trips) for each in tally.shapes)
    tags = tuple((each.tag, each.statements, each.transactions) for each in tally.tags)
    ends = (tally.begins, tally.commits, tally.rollbacks, tally.savepoints)
    return tally.statements, tally.round_trips, tally.executemany, ends, shapes, tags


def test_the_default_format_is_counted(expected: EchoTally) -> None:
    assert (expected.statements, expected.round_trips) == (11, 13)
    assert (expected.begins, expected.commits, expected.rollbacks) == (3, 2, 1)
    assert (expected.savepoints, expected.executemany) == (2, 1)
    assert (expected.cut, expected.textless) == (0, 0)


def test_a_shape_that_one_transaction_repeats_is_told_with_its_run(expected: EchoTally) -> None:
    [repeated] = [each for each in expected.shapes if each.repeat.times > 1]

    assert "users.name" in repeated.shape.text
    assert (repeated.repeat.times, repeated.repeat.times_in_a_row) == (6, 6)
    assert repeated.repeating_transactions == 1
    assert not repeated.repeat.is_shared


def test_the_logging_token_is_the_tag(expected: EchoTally) -> None:
    [tag] = expected.tags

    assert (tag.tag, tag.statements, tag.transactions) == ("request 7", 2, 1)


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_a_text_format_gives_the_same(form: str, expected: EchoTally) -> None:
    assert _figures(read(_log_of(logging.Formatter(form)))) == _figures(expected)


@pytest.mark.parametrize(
    ("message", "logger"),
    [("message", "name"), ("event", "logger"), ("msg", "logger_name"), ("message", "log.logger")],
)
def test_json_lines_give_the_same(message: str, logger: str, expected: EchoTally) -> None:
    log = _log_of(_JsonFormatter(message, logger))

    assert _figures(read(log)) == _figures(expected)


def test_logfmt_gives_the_same(expected: EchoTally) -> None:
    class Logfmt(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"level=info logger={record.name} msg={json.dumps(record.getMessage())}"

    assert _figures(read(_log_of(Logfmt()))) == _figures(expected)


def test_the_logger_behind_the_message_gives_the_same(expected: EchoTally) -> None:
    log = _log_of(logging.Formatter("%(asctime)s [info     ] %(message)s     [%(name)s]"))

    assert _figures(read(log)) == _figures(expected)


def test_rows_and_columns_of_debug_are_left_out(expected: EchoTally) -> None:
    log = _log_of(logging.Formatter(DEFAULT), logging.DEBUG)

    assert "Row (" in log
    assert "Col (" in log
    assert _figures(read(log)) == _figures(expected)


def _coloured(log: str) -> str:
    return re.sub(r"INFO|sqlalchemy\.engine", lambda found: f"\x1b[1;32m{found[0]}\x1b[0m", log)


def _each_line(prefix: str) -> Callable[[str], str]:
    return lambda log: "".join(f"{prefix}{line}" for line in log.splitlines(keepends=True))


def _docker_json(log: str) -> str:
    lines = log.splitlines(keepends=True)
    return "".join(json.dumps({"log": line, "stream": "stdout"}) + "\n" for line in lines)


def _among_others(log: str) -> str:
    """Requests of a server and records of an application wherever a record begins."""
    other = '\\nINFO:     127.0.0.1:5000 - "GET /users HTTP/1.1" 200 OK\\n2030-01-02 03:04:05,678 '
    other += "INFO shop.orders Select your plan\\n"
    return re.sub(r"(?m)\n(?=\d{4}-\d\d-\d\d .* BEGIN)", other.replace("\\n", "\n"), log)


@pytest.mark.parametrize(
    "collected",
    [
        _coloured,
        lambda log: log.replace("\n", "\r\n"),
        lambda log: "\ufeff" + log,
        _each_line("web-1  | "),
        _each_line("Jan 02 03:04:05 host gunicorn[4242]: "),
        _each_line("2030-01-02T03:04:05.678901+00:00 app[web.1]: "),
        _each_line("[pod/shop-5d4/web] "),
        _each_line("2030-01-02T03:04:05.678901234Z "),
        _each_line("2030-01-02T03:04:05Z "),
        _docker_json,
        _among_others,
    ],
    ids=[
        "colour",
        "crlf",
        "bom",
        "compose",
        "journald",
        "heroku",
        "pods",
        "k8s",
        "stamp",
        "docker",
        "mixed",
    ],
)
def test_what_a_collector_or_a_terminal_adds_changes_nothing(
    collected: Callable[[str], str], expected: EchoTally
) -> None:
    log = collected(_log_of(logging.Formatter(DEFAULT)))

    assert _figures(read(log)) == _figures(expected)
