"""The handler in the process: counts, changes nothing that anybody sees, and goes away again."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from harness.capture import SourceMap, recording
from harness.capture.echo import EchoCounter
from harness.errors import NoEchoError
from target_app.models import User

ENGINE = logging.getLogger("sqlalchemy.engine.Engine")
PARENT = logging.getLogger("sqlalchemy.engine")


@pytest.fixture
def _echo(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="sqlalchemy.engine.Engine")


@pytest.fixture
def own_logger() -> Iterator[logging.Logger]:
    """The logger of one engine with a ``logging_name``, of this test alone."""
    logger = logging.getLogger(f"sqlalchemy.engine.Engine.{uuid.uuid4().hex}")
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True


def _name(logger: logging.Logger) -> str:
    return logger.name.rpartition(".")[2]


def _run(engine: Engine, times: int = 1) -> None:
    with engine.connect() as connection:
        for _ in range(times):
            connection.execute(text("select 1"))


@pytest.mark.usefixtures("_echo")
def test_what_runs_in_the_block_is_counted_and_nothing_else(blog: Engine) -> None:
    _run(blog)
    with EchoCounter() as counter:
        _run(blog, 3)
    _run(blog)

    tally = counter.required_tally()
    assert (tally.statements, tally.begins, tally.rollbacks) == (3, 1, 1)


@pytest.mark.usefixtures("_echo")
def test_listeners_are_given_back_when_the_block_raises(own_logger: logging.Logger) -> None:
    own_logger.propagate = False
    before = [(list(each.handlers), list(each.filters)) for each in (PARENT, ENGINE, own_logger)]

    with pytest.raises(RuntimeError, match="boom"), EchoCounter():
        raise RuntimeError("boom")

    after = [(list(each.handlers), list(each.filters)) for each in (PARENT, ENGINE, own_logger)]
    assert after == before


def test_an_engine_made_in_the_block_prints_as_it_would_have(
    own_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with EchoCounter() as counter:
        engine = create_engine("sqlite://", echo=True, logging_name=_name(own_logger))
        _run(engine)
    engine.dispose()

    assert len(own_logger.handlers) == 1
    assert capsys.readouterr().out.count("select 1") == 1
    assert counter.required_tally().statements == 1


def test_an_engine_with_a_logger_that_does_not_propagate_is_counted(
    own_logger: logging.Logger,
) -> None:
    own_logger.propagate = False
    own_logger.addHandler(logging.NullHandler())

    with EchoCounter() as counter:
        engine = create_engine("sqlite://", echo=True, logging_name=_name(own_logger))
        _run(engine, 2)
        own_logger.propagate = True
        _run(engine)
    engine.dispose()

    assert counter.required_tally().statements == 3


def test_a_logger_that_stops_to_propagate_is_named(own_logger: logging.Logger) -> None:
    own_logger.addHandler(logging.NullHandler())
    with EchoCounter() as counter:
        own_logger.propagate = False
        engine = create_engine("sqlite://", echo=True, logging_name=_name(own_logger))
        _run(engine)

        with pytest.raises(NoEchoError, match=rf"{own_logger.name} stopped to propagate"):
            counter.required_tally()
    engine.dispose()


def test_silence_is_an_error_that_names_the_level(blog: Engine) -> None:
    with EchoCounter() as counter:
        _run(blog)

        with pytest.raises(NoEchoError, match=r"level of sqlalchemy\.engine\.Engine is WARNING"):
            counter.required_tally()


def test_a_record_that_cannot_be_counted_is_no_problem_of_the_application_but_of_the_count() -> (
    None
):
    class Unprintable:
        def __str__(self) -> str:
            raise ValueError("unprintable")

    record = logging.LogRecord(ENGINE.name, logging.INFO, "", 0, Unprintable(), None, None)
    with EchoCounter() as counter:
        counter.on_record(record)

    with pytest.raises(NoEchoError, match="unprintable"):
        counter.required_tally()


@pytest.mark.usefixtures("_echo")
def test_a_bulk_insert_that_the_log_would_cut_has_its_whole_shape(
    blog: Engine, source: SourceMap
) -> None:
    rows = [{"email": f"{n}@example.com", "name": "N", "password_hash": "-"} for n in range(50)]
    with recording(source) as recorder, EchoCounter() as counter, blog.begin() as connection:
        labels = [User.name.label(f"a_long_name_for_the_same_column_{n}") for n in range(6)]
        connection.execute(insert(User).returning(*labels), rows)

    [statement] = recorder.snapshot().statements
    [shape] = counter.required_tally().shapes
    assert shape.shape == statement.fingerprint


@pytest.mark.usefixtures("_echo")
def test_the_token_is_the_tag(blog: Engine) -> None:
    with EchoCounter() as counter, blog.connect() as connection:
        connection.execution_options(logging_token="r 1").execute(select(User.id))

    [tag] = counter.required_tally().tags
    assert (tag.tag, tag.statements) == ("r 1", 1)


@pytest.mark.usefixtures("_echo")
def test_hidden_parameters_are_counted() -> None:
    engine = create_engine("sqlite://", hide_parameters=True)
    with EchoCounter() as counter:
        _run(engine)
    engine.dispose()

    assert counter.required_tally().cut == 0
    assert counter.required_tally().statements == 1


@pytest.mark.usefixtures("_echo")
async def test_transactions_of_tasks_that_overlap_are_told_apart(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    both_are_open = asyncio.Barrier(2)

    async def work() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
            await both_are_open.wait()
            await connection.execute(text("select 2"))

    with EchoCounter() as counter:
        await asyncio.gather(work(), work())
    await engine.dispose()

    tally = counter.required_tally()
    assert tally.by_transaction().by_statements == {2: 2}
    assert tally.most_open == 1


def _printed(program: str, root: Path) -> str:
    """What a process with no logging configured by anybody prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"version": 1}, "disabled sqlalchemy.engine.Engine (disable_existing_loggers)"),
        (
            {
                "version": 1,
                "disable_existing_loggers": False,
                "loggers": {"sqlalchemy.engine": {"level": "INFO", "handlers": []}},
            },
            "a later logging configuration removed the counter's handler",
        ),
    ],
)
def test_a_later_logging_configuration_is_noticed(
    configuration: object, words: str, pytestconfig: pytest.Config
) -> None:
    program = f"""
import logging.config
from sqlalchemy import create_engine, text
from harness.capture.echo import EchoCounter
from harness.errors import NoEchoError
with EchoCounter() as counter:
    engine = create_engine("sqlite://", echo=True)
    logging.config.dictConfig({configuration!r})
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    try:
        counter.required_tally()
    except NoEchoError as error:
        print(error)
"""

    assert words in _printed(program, pytestconfig.rootpath)


def test_echo_prints_in_the_block_as_it_does_elsewhere(pytestconfig: pytest.Config) -> None:
    program = """
from sqlalchemy import create_engine, text
from harness.capture.echo import EchoCounter
with EchoCounter() as counter, create_engine("sqlite://", echo=True).connect() as connection:
    connection.execute(text("select 1"))
print(counter.required_tally().statements, "counted")
"""

    printed = _printed(program, pytestconfig.rootpath)

    assert printed.count("sqlalchemy.engine.Engine select 1") == 1
    assert printed.endswith("1 counted\n")


def test_a_warning_that_nobody_else_handles_is_still_printed(pytestconfig: pytest.Config) -> None:
    program = """
import logging
from harness.capture.echo import EchoCounter
with EchoCounter():
    logging.getLogger("sqlalchemy.engine.Engine").warning("look out")
"""

    assert _printed(program, pytestconfig.rootpath).strip() == "look out"
