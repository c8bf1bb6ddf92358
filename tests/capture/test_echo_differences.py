"""Where the log and the events cannot agree: each difference shown, and documented."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession

from harness.capture import SourceMap, recording
from harness.capture.echo import EchoCounter
from target_app.models import User
from tests.capture.echo_logs import read

Scenario = Callable[[Connection], None]
WIDE = Table(
    "wide",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(f"a_column_with_a_long_name_{n}", String) for n in range(4)),
)
IN_SCHEMA = Table("small", MetaData(), Column("id", Integer, primary_key=True), schema="tenant")


@dataclass(frozen=True, slots=True)
class Both:
    """The statements of one block by shape, from either source."""

    events: Counter[str]
    log: Counter[str]


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    logger, stream = logging.getLogger("sqlalchemy.engine.Engine"), io.StringIO()
    handler, level = logging.StreamHandler(stream), logger.level
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def _both(engine: Engine, source: SourceMap, scenario: Scenario) -> Both:
    with recording(source) as recorder, _logged() as log, engine.connect() as connection:
        scenario(connection)
    statements = recorder.snapshot().statements
    tally = read(log.getvalue())
    return Both(
        Counter(trip.fingerprint.text for trip in statements),
        Counter({each.shape.text: each.statements for each in tally.shapes}),
    )


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    WIDE.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _literals(connection: Connection) -> None:
    connection.execute(select(literal_column("1")))


def _imitated_layout(connection: Connection) -> None:
    connection.execute(text("SELECT id \nFROM wide \nWHERE id > 5"))


def _literal_execute(connection: Connection) -> None:
    limit = bindparam("n", 5, Integer, literal_execute=True)
    connection.execute(select(WIDE.c.id).where(WIDE.c.id > limit))


def _schema_translate_map(connection: Connection) -> None:
    connection.execute(
        select(IN_SCHEMA.c.id), execution_options={"schema_translate_map": {"tenant": "main"}}
    )


def _cut_batch(connection: Connection) -> None:
    names = [column.name for column in WIDE.columns if column.name != "id"]
    rows = [dict.fromkeys(names, "x") for _ in range(100)]
    connection.execute(insert(WIDE).returning(*WIDE.columns), rows)


def _rewritten(connection: Connection) -> None:
    def rewrite(*arguments: object) -> tuple[str, object]:
        return f"{arguments[2]} LIMIT 1", arguments[3]

    event.listen(connection, "before_cursor_execute", rewrite, retval=True)
    connection.execute(select(WIDE.c.id))


SAME_NUMBER_OTHER_SHAPE: dict[str, Scenario] = {
    "literals without FROM": _literals,
    "text() in SQLAlchemy's layout": _imitated_layout,
    "literal_execute": _literal_execute,
    "schema_translate_map": _schema_translate_map,
    "cut bulk INSERT": _cut_batch,
    "rewritten by a listener": _rewritten,
}
OTHER_NUMBER = ("MissingGreenlet", "echo switched on late", "set-up", "default asked for first")


@pytest.mark.parametrize("name", SAME_NUMBER_OTHER_SHAPE)
def test_the_number_is_the_same_where_the_shape_is_not(
    engine: Engine, source: SourceMap, name: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS small (id INTEGER)"))

    both = _both(engine, source, SAME_NUMBER_OTHER_SHAPE[name])

    assert both.log.total() == both.events.total() > 0
    assert both.log != both.events


@pytest.mark.parametrize(
    "scenario",
    [
        lambda connection: connection.execute(text("SELECT id, 'a' FROM wide WHERE id > 5")),
        lambda connection: connection.execute(select(WIDE.c.id).where(WIDE.c.id.in_([]))),
        lambda connection: connection.execute(select(WIDE.c.id).where(WIDE.c.id.not_in([]))),
        lambda connection: connection.execute(select(WIDE.c.id).where(WIDE.c.id.in_(range(3000)))),
        lambda connection: connection.exec_driver_sql("select 1 -- one"),
        lambda connection: connection.execute(insert(WIDE), [{}, {}]),
        lambda connection: connection.execute(text("UPDATE wide SET id = 7 WHERE id = 'secret'")),
    ],
    ids=["text", "empty list", "empty not in", "long list", "driver", "executemany", "write"],
)
def test_the_shape_is_the_same(engine: Engine, source: SourceMap, scenario: Scenario) -> None:
    both = _both(engine, source, scenario)

    assert both.log == both.events
    assert both.log.total() == 1
    assert "secret" not in "".join(both.log)


async def test_a_statement_that_never_left_for_want_of_a_greenlet_is_in_the_log_alone(
    db_session: AsyncSession, source: SourceMap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="sqlalchemy.engine.Engine")
    user = (await db_session.scalars(select(User).limit(1))).one()

    with recording(source) as recorder, EchoCounter() as counter, pytest.raises(MissingGreenlet):
        _ = user.posts

    assert list(recorder.snapshot().statements) == []
    assert counter.required_tally().statements == 1


def test_a_default_that_is_asked_for_before_an_insert_is_a_statement_of_its_own(
    engine: Engine,
) -> None:
    asked = select(literal_column("7", Integer)).scalar_subquery()
    key = Column("id", Integer, primary_key=True, default=asked)
    table = Table("asked", MetaData(), key, implicit_returning=False)
    table.create(engine)

    with _logged() as log, engine.begin() as connection:
        connection.execute(insert(table))

    assert read(log.getvalue()).statements == 2


def test_a_connection_from_before_echo_was_switched_on_is_in_no_log(
    engine: Engine, source: SourceMap
) -> None:
    with engine.connect() as connection, recording(source) as recorder, _logged() as log:
        connection.execute(text("select 1"))

    assert len(list(recorder.snapshot().statements)) == 1
    assert log.getvalue() == ""


@pytest.mark.parametrize("name", [*SAME_NUMBER_OTHER_SHAPE, *OTHER_NUMBER])
def test_a_difference_is_in_the_documentation(name: str, pytestconfig: pytest.Config) -> None:
    documented = (pytestconfig.rootpath / "docs/reference/echo.md").read_text("utf-8")

    assert f"| {name} |" in documented
