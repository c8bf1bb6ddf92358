"""Which SQL stands for a transaction's end, and what a PostgreSQL would have kept after it.

Besides the text of the statements, a small model of savepoints runs them: what counts is which rows
survive, and that every savepoint that is named exists.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from harness.database.rollback.meaning import is_read, may_change_schema
from harness.database.rollback.savepoints import Frame, SavepointStack
from harness.errors import SandboxConflictError

COMMIT, ROLLBACK = SavepointStack.commit, SavepointStack.rollback


@dataclass
class Server:
    """One transaction of a PostgreSQL: its rows, and what each savepoint goes back to."""

    rows: list[str] = field(default_factory=list)
    savepoints: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, sql: str) -> None:
        for statement in filter(None, sql.split("; ")):
            *verb, name = statement.split()
            if verb == ["SAVEPOINT"]:
                self.savepoints.append((name, tuple(self.rows)))
                continue
            index = max(i for i, (known, _) in enumerate(self.savepoints) if known == name)
            if verb == ["RELEASE"]:
                del self.savepoints[index:]
            else:
                assert verb == ["ROLLBACK", "TO"]
                self.rows = list(self.savepoints[index][1])
                del self.savepoints[index + 1 :]


@dataclass
class World:
    """A stack and the server that its SQL goes to."""

    stack: SavepointStack = field(default_factory=SavepointStack)
    server: Server = field(default_factory=Server)

    def begin(self, owner: str = "the test") -> Frame:
        frame, sql = self.stack.begin(owner)
        self.server.run(sql)
        return frame

    def write(self, frame: Frame, row: str) -> None:
        self.stack.wrote(frame)
        self.server.rows.append(row)

    def end(self, frame: Frame, how: Callable[[SavepointStack, Frame], str]) -> str:
        sql = how(self.stack, frame)
        self.server.run(sql)
        return sql


@pytest.fixture
def world() -> World:
    return World()


def test_a_commit_releases_its_savepoint(world: World) -> None:
    frame = world.begin()
    world.write(frame, "row")

    assert world.end(frame, COMMIT) == f"RELEASE {frame.name}"
    assert world.server == Server(rows=["row"])


def test_a_rollback_undoes_its_rows_and_leaves_no_savepoint(world: World) -> None:
    frame = world.begin()
    world.write(frame, "row")

    assert world.end(frame, ROLLBACK) == f"ROLLBACK TO {frame.name}; RELEASE {frame.name}"
    assert world.server == Server()


def test_names_are_never_used_twice(world: World) -> None:
    names = []
    for _ in range(3):
        frame = world.begin()
        names.append(frame.name)
        world.end(frame, ROLLBACK)

    assert len(set(names)) == 3


def test_an_inner_rollback_keeps_what_the_outer_one_wrote(world: World) -> None:
    outer = world.begin()
    world.write(outer, "arranged")
    inner = world.begin("POST /users")
    world.write(inner, "refused")

    world.end(inner, ROLLBACK)
    world.end(outer, COMMIT)

    assert world.server == Server(rows=["arranged"])


def test_a_buried_commit_waits_for_the_later_transaction(world: World) -> None:
    first, second = world.begin(), world.begin()
    world.write(first, "first")

    assert world.end(first, COMMIT) == ""
    assert world.stack.top is second


def test_a_buried_commit_is_released_when_the_later_transaction_commits(world: World) -> None:
    first, second = world.begin(), world.begin()
    world.write(first, "first")
    world.write(second, "second")
    world.end(first, COMMIT)

    world.end(second, COMMIT)

    assert world.server == Server(rows=["first", "second"])
    assert world.stack.frames == []


def test_a_buried_commit_survives_the_rollback_of_the_later_transaction(world: World) -> None:
    first = world.begin()
    world.write(first, "first")
    second = world.begin()
    world.write(second, "second")
    world.end(first, COMMIT)

    world.end(second, ROLLBACK)

    assert world.server == Server(rows=["first"])


def test_a_buried_rollback_of_a_read_is_nothing(world: World) -> None:
    reader, writer = world.begin(), world.begin()
    world.write(writer, "row")

    assert world.end(reader, ROLLBACK) == ""
    world.end(writer, COMMIT)
    assert world.server == Server(rows=["row"])


def test_a_commit_inside_a_reader_is_moved_out_of_its_savepoint(world: World) -> None:
    reader, writer = world.begin("auth"), world.begin("endpoint")
    world.write(writer, "row")

    sql = world.end(writer, COMMIT)

    assert sql == f"RELEASE {reader.name}; SAVEPOINT {reader.name}"
    world.end(reader, ROLLBACK)
    assert world.server == Server(rows=["row"])


def test_all_readers_around_a_commit_are_marked_anew_in_their_order(world: World) -> None:
    outer, inner, writer = world.begin(), world.begin(), world.begin()
    world.write(writer, "row")

    sql = world.end(writer, COMMIT)

    assert sql == f"RELEASE {outer.name}; SAVEPOINT {outer.name}; SAVEPOINT {inner.name}"
    world.end(inner, ROLLBACK)
    world.end(outer, ROLLBACK)
    assert world.server == Server(rows=["row"])


def test_only_the_readers_inside_a_writer_are_marked_anew(world: World) -> None:
    writer, reader, inner = world.begin(), world.begin(), world.begin()
    world.write(writer, "outer")
    world.write(inner, "inner")

    sql = world.end(inner, COMMIT)

    assert sql == f"RELEASE {reader.name}; SAVEPOINT {reader.name}"


def test_a_reader_that_writes_after_an_inner_commit_rolls_back_its_own_rows(world: World) -> None:
    outer, inner = world.begin(), world.begin()
    world.write(inner, "inner")
    world.end(inner, COMMIT)
    world.write(outer, "outer")

    world.end(outer, ROLLBACK)

    assert world.server == Server(rows=["inner"])


def test_a_commit_of_a_reader_marks_nothing_anew(world: World) -> None:
    world.begin()
    inner = world.begin()

    assert world.end(inner, COMMIT) == f"RELEASE {inner.name}"


def test_a_writer_cannot_roll_back_around_a_commit_inside_it(world: World) -> None:
    outer = world.begin("the test")
    world.write(outer, "outer")
    inner = world.begin("POST /users")
    world.write(inner, "inner")
    world.end(inner, COMMIT)

    with pytest.raises(SandboxConflictError, match="after a transaction inside it was committed"):
        world.end(outer, ROLLBACK)


def test_a_writer_cannot_roll_back_while_a_later_transaction_is_open(world: World) -> None:
    outer = world.begin("POST /users")
    world.write(outer, "outer")
    world.begin("GET /audit")

    with pytest.raises(SandboxConflictError, match=r"\(POST /users\).*\(GET /audit\)"):
        world.end(outer, ROLLBACK)


def test_a_conflict_says_how_to_avoid_it(world: World) -> None:
    outer = world.begin()
    world.write(outer, "outer")
    world.begin()

    with pytest.raises(SandboxConflictError) as caught:
        world.end(outer, ROLLBACK)
    assert caught.value.remedy.startswith("end the transactions in the reverse order")


def test_a_reader_that_an_earlier_transaction_wrote_into_undoes_nothing(world: World) -> None:
    writer, reader = world.begin(), world.begin()
    world.write(writer, "row")

    assert world.end(reader, ROLLBACK) == f"RELEASE {reader.name}"
    assert world.server.rows == ["row"]


def test_two_writers_that_both_roll_back_leave_nothing(world: World) -> None:
    first, second = world.begin(), world.begin()
    world.write(first, "first")
    world.write(second, "second")

    world.end(second, ROLLBACK)
    world.end(first, ROLLBACK)

    assert world.server == Server()


def test_a_writer_cannot_commit_what_a_later_rollback_took_away(world: World) -> None:
    first, second = world.begin("GET /audit"), world.begin("POST /users")
    world.write(first, "first")
    world.write(second, "second")
    world.end(second, ROLLBACK)

    with pytest.raises(SandboxConflictError, match="after a later one took some of its rows away"):
        world.end(first, COMMIT)


def test_a_writer_cannot_roll_back_around_an_earlier_commit_inside_it(world: World) -> None:
    first, second = world.begin("GET /audit"), world.begin("POST /users")
    world.write(first, "first")
    world.write(second, "second")
    world.end(first, COMMIT)

    with pytest.raises(SandboxConflictError, match="after an earlier one committed inside it"):
        world.end(second, ROLLBACK)


def test_a_failed_reader_is_undone_with_what_was_written_inside_it(world: World) -> None:
    writer, reader = world.begin(), world.begin()
    world.write(writer, "row")

    world.server.run(world.stack.rollback(reader, has_failed=True))

    with pytest.raises(SandboxConflictError):
        world.end(writer, COMMIT)


def test_a_transaction_in_conflict_is_given_up_so_that_others_go_on(world: World) -> None:
    outer = world.begin()
    world.write(outer, "outer")
    inner = world.begin()
    world.write(inner, "inner")
    world.end(inner, COMMIT)

    world.server.run(world.stack.give_up(outer))

    assert world.server == Server(rows=["outer", "inner"])
    assert world.stack.frames == []


def test_a_failed_transaction_is_given_up_by_undoing_it(world: World) -> None:
    frame = world.begin()

    sql = world.stack.give_up(frame, has_failed=True)

    assert sql == f"ROLLBACK TO {frame.name}; RELEASE {frame.name}"


@dataclass(frozen=True)
class History:
    """What three transactions do that begin one after the other."""

    writes: tuple[bool, ...]
    commits: tuple[bool, ...]
    order: tuple[int, ...]
    """In which they end."""
    is_late: bool
    """Whether they write when all have begun, or each at once."""

    def run(self) -> Server:
        world, frames = World(), []
        for number in range(3):
            frames.append(world.begin(str(number)))
            if self.writes[number] and not self.is_late:
                world.write(frames[number], str(number))
        for number in range(3):
            if self.writes[number] and self.is_late:
                world.write(frames[number], str(number))
        for number in self.order:
            world.end(frames[number], COMMIT if self.commits[number] else ROLLBACK)
        assert world.stack.frames == []
        return world.server

    @property
    def has_undone_writes(self) -> bool:
        return any(self.writes[number] and not self.commits[number] for number in range(3))

    @property
    def kept(self) -> list[str]:
        return [str(number) for number in range(3) if self.writes[number] and self.commits[number]]


def every_history() -> Iterator[History]:
    flags = list(itertools.product((False, True), repeat=3))
    orders = itertools.permutations(range(3))
    return itertools.starmap(History, itertools.product(flags, flags, orders, (False, True)))


def test_in_every_order_of_ending_the_committed_rows_are_kept_or_a_conflict_is_told() -> None:
    refused = []
    for history in every_history():
        try:
            server = history.run()
        except SandboxConflictError:
            refused.append(history)
            continue
        assert server == Server(rows=history.kept), history

    assert all(history.has_undone_writes for history in refused)
    assert all(len(set(history.commits)) == 2 or history.order != (2, 1, 0) for history in refused)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  select now()",
        "/* from the router */ SELECT 1",
        "-- by hand\nSELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH recent AS (SELECT 1) SELECT * FROM recent",
        "SELECT last_update FROM users",
        "EXPLAIN SELECT 1",
        "SHOW search_path",
        "VALUES (1)",
        "ROLLBACK TO SAVEPOINT sa_savepoint_1",
        ";",
        "",
    ],
)
def test_a_statement_that_only_reads_is_known(sql: str) -> None:
    assert is_read(sql)
    assert not may_change_schema(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO users VALUES ($1)",
        "/* from the router */ DELETE FROM users",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
        "EXPLAIN ANALYZE UPDATE users SET name = 'x'",
        "SELECT id FROM users FOR UPDATE",
        "select id from users for no key update",
        "selection",
    ],
)
def test_a_statement_that_may_write_is_never_taken_for_a_read(sql: str) -> None:
    assert not is_read(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE notes (id int)", True),
        ("-- migration\nALTER TABLE notes ADD COLUMN text text", True),
        ("TRUNCATE notes", True),
        ("INSERT INTO notes VALUES (1)", False),
        ("WITH x AS (SELECT 1) INSERT INTO notes SELECT * FROM x", False),
    ],
)
def test_a_statement_that_may_change_the_schema_is_known(sql: str, *, expected: bool) -> None:
    assert may_change_schema(sql) is expected
