"""Logs as they are found: cut, interleaved, filtered, huge, damaged."""

from __future__ import annotations

import gc
import io
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.capture.echo import EchoReader, EchoTallier, bounded_lines
from tests.capture.echo_logs import read

HEAD = "2030-01-02 03:04:05,678 INFO sqlalchemy.engine.Engine "
PARAMETERS = "[cached since 0.0021s ago] (1,)"


def _log(*messages: str) -> str:
    return "".join(f"{HEAD}{message}\n" for message in messages)


def _select(table: str) -> str:
    return f"SELECT {table}.id \nFROM {table}"


def _shapes(log: str) -> dict[str, int]:
    return {each.shape.text: each.statements for each in read(log).shapes}


def test_a_log_without_echo_has_no_message() -> None:
    tally = read("INFO:     Application startup complete.\nBEGIN\nSelect your plan\n\n(1, 2)\n")

    assert tally.lines == 5
    assert tally.messages == 0
    assert tally.statements == 0


def test_parameters_without_their_text_are_a_statement_of_unknown_shape() -> None:
    tally = read("WHERE a.id = ?\n" + _log(PARAMETERS, _select("b"), PARAMETERS))

    assert (tally.statements, tally.textless, tally.cut) == (2, 1, 0)
    assert [each.shape.text for each in tally.shapes] == ["(unknown)", "SELECT b.id FROM b"]


def test_a_text_at_the_end_of_the_log_is_a_statement() -> None:
    tally = read(_log(_select("a"), PARAMETERS, _select("b")))

    assert (tally.statements, tally.textless, tally.cut) == (2, 0, 1)


def test_a_first_line_cut_in_its_middle_is_no_harm() -> None:
    log = _log(_select("a"), PARAMETERS, "COMMIT", "BEGIN (implicit)", _select("b"), PARAMETERS)

    counts = [read(log[start:]).statements for start in range(len(log))]

    assert counts[0] == 2
    assert counts == sorted(counts, reverse=True)


def test_parameters_that_a_filter_keeps_out_change_no_count_of_statements() -> None:
    tally = read(_log("BEGIN (implicit)", _select("a"), _select("b"), "COMMIT"))

    assert (tally.statements, tally.cut) == (2, 2)
    assert tally.by_transaction().by_statements == {2: 1}


def test_hidden_parameters_are_parameters() -> None:
    hidden = "[generated in 0.00012s] [SQL parameters hidden due to hide_parameters=True]"

    tally = read(_log(_select("a"), hidden))

    assert (tally.statements, tally.cut) == (1, 0)


@pytest.mark.parametrize(
    "statistics",
    [
        "generated in 0.00012s",
        "generated in 1.2e-05s",
        "cached since 1.234e+04s ago",
        "no key 0.00009s",
        "caching disabled 0.00009s",
        "caching disabled (too many) 0.00009s ",
        "dialect odd+driver does not support caching 0.00009s",
        "raw sql",
    ],
)
def test_every_statistic_counts_an_execution(statistics: str) -> None:
    tally = read(_log("PRAGMA odd", f"[{statistics}] {{}}"))

    assert (tally.statements, tally.cut, tally.textless) == (1, 0, 0)


def test_parameters_of_several_lines_are_no_text() -> None:
    log = _log(_select("a"), "[generated in 0.1s] (array([[1, 2],\n  SELECT 3]),)", _select("a"))

    assert _shapes(log) == {"SELECT a.id FROM a": 2}


def test_batches_of_a_bulk_insert_are_round_trips_of_one_statement() -> None:
    insert = "INSERT INTO a (x) VALUES (?), (?) RETURNING id"
    first = "[generated in 0.1s (insertmanyvalues) 1/3 (ordered)] (1, 2)"
    later = ["[insertmanyvalues 2/3 (unordered)] (3, 4)", "[insertmanyvalues 3/3 (ordered)] (5, 6)"]

    tally = read(_log(insert, first, insert, later[0], insert, later[1]))

    assert (tally.statements, tally.round_trips) == (1, 3)
    assert tally.shapes[0].shape.text == "INSERT INTO a (x) VALUES (?) RETURNING id"


def test_a_bulk_insert_that_the_log_cuts_has_the_shape_of_the_short_one() -> None:
    head = "INSERT INTO a (x) SELECT p0::VARCHAR FROM (VALUES ($1::VARCHAR, 0)"
    tail = ")) AS imp_sen(p0, sen_counter) ORDER BY sen_counter RETURNING a.id"
    whole, cut = ", ($2::VARCHAR, 1", ", ($2::VARC ... 1258 characters truncated ... ARCHAR, 99"
    batch = "[cached since 0.1s ago (insertmanyvalues) 1/1 (ordered)] ()"

    shapes = _shapes(_log(head + whole + tail, batch, head + cut + tail, batch))

    assert list(shapes.values()) == [2]


def test_two_tags_that_take_turns_are_two_transactions() -> None:
    lines = ["BEGIN (implicit)", _select("a"), PARAMETERS, _select("a"), PARAMETERS, "COMMIT"]

    tally = read(_log(*(f"[{tag}] {line}" for line in lines for tag in ("r1", "r2"))))

    assert [(each.tag, each.statements) for each in tally.tags] == [("r1", 2), ("r2", 2)]
    assert tally.by_transaction().by_statements == {2: 2}
    assert tally.most_open == 1


def test_transactions_that_overlap_without_tags_are_told_to_be_ambiguous() -> None:
    lines = ["BEGIN (implicit)", _select("a"), PARAMETERS, "COMMIT"]

    tally = read(_log(*(line for line in lines for _ in range(2))))

    assert tally.most_open == 2
    assert tally.by_transaction().count == 0
    assert tally.by_transaction(is_shared=True).by_statements == {2: 1}


def test_threads_that_interleave_keep_their_counts() -> None:
    tally = read(_log(_select("a"), _select("b"), PARAMETERS, PARAMETERS))

    assert (tally.statements, tally.cut, tally.textless) == (2, 0, 0)
    assert {each.statements for each in tally.shapes} == {1}


def test_parameters_that_come_after_another_threads_commit_are_no_second_statement() -> None:
    tally = read(_log("BEGIN (implicit)", _select("a"), "COMMIT", PARAMETERS))

    assert (tally.statements, tally.commits, tally.textless) == (1, 1, 0)


def test_texts_without_parameters_are_not_kept_forever() -> None:
    tallier = EchoTallier()
    reader = EchoReader(tallier)
    for line in _log(*[_select("a")] * 200).splitlines():
        reader.read(line.encode())

    assert 100 < tallier.statements < 200


def test_a_shape_is_not_longer_than_a_report_can_hold() -> None:
    columns = ", ".join(f"a.column_{number}" for number in range(5000))

    [shape] = read(_log(f"SELECT {columns} \nFROM a", PARAMETERS)).shapes

    assert 1000 < len(shape.shape.text) <= 8192


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_a_message() -> None:
    assert _shapes("\ufeffSELECT a.id\n[raw sql] ()\n") == {"SELECT a.id": 1}


def test_a_line_of_sql_that_looks_like_a_process_is_a_line_of_sql() -> None:
    shapes = _shapes(_log("SELECT a.id |\nflags | 4\nFROM a", PARAMETERS))

    assert shapes == {"SELECT a.id | flags | ? FROM a": 1}


def test_processes_of_one_collector_are_kept_apart() -> None:
    one, two = _log(_select("a"), PARAMETERS), _log(_select("b"), PARAMETERS)
    lines = [
        f"{name} | {line}\n"
        for pair in zip(one.splitlines(), two.splitlines(), strict=True)
        for name, line in zip(("web-1", "web-2"), pair, strict=True)
    ]

    assert _shapes("".join(lines)) == {"SELECT a.id FROM a": 1, "SELECT b.id FROM b": 1}


def test_a_tag_may_be_anywhere_before_the_message() -> None:
    log = _log(_select("a"), PARAMETERS).replace("INFO", "INFO request_id=4f2a")

    tally = read(log, tag=r"request_id=(\w+)")

    assert [(each.tag, each.statements) for each in tally.tags] == [("4f2a", 1)]


def test_a_transaction_in_autocommit_is_a_transaction() -> None:
    tally = read(
        _log(
            "BEGIN (implicit; DBAPI should not BEGIN due to autocommit mode)",
            _select("a"),
            PARAMETERS,
            "COMMIT using DBAPI connection.commit(), has no effect due to autocommit mode",
        )
    )

    assert (tally.statements, tally.begins, tally.commits, tally.savepoints) == (1, 1, 1, 0)


def test_a_begin_and_a_commit_of_the_applications_own_are_no_statements() -> None:
    tally = read(_log("BEGIN IMMEDIATE", "[raw sql] ()", "COMMIT", "[raw sql] ()"))

    assert (tally.statements, tally.begins, tally.commits, tally.savepoints) == (0, 0, 0, 2)


def test_what_a_dialect_asks_first_is_told_apart() -> None:
    tally = read(_log("select pg_catalog.version()", "[raw sql] ()", _select("a"), PARAMETERS))

    assert (tally.statements, tally.setups) == (1, 1)


def test_a_tally_in_between_changes_nothing_about_the_next() -> None:
    tallier = EchoTallier(repeats_from=2)
    reader = EchoReader(tallier)
    for line in _log("BEGIN (implicit)", *[_select("a"), PARAMETERS] * 2).splitlines():
        reader.read(line.encode())

    first, second = tallier.tally(), tallier.tally()

    assert first == second
    assert second.shapes[0].repeating_transactions == 1


def test_memory_does_not_grow_with_the_log() -> None:
    def feed(reader: EchoReader, numbers: range) -> None:
        for number in numbers:
            for message in ("BEGIN (implicit)", f"SELECT {number}, x{number} FROM t", PARAMETERS):
                reader.read(f"{HEAD}[r{number}] {message}".encode())

    def held_bytes() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    reader = EchoReader(EchoTallier())
    tracemalloc.start()
    try:
        feed(reader, range(6_000))
        full_bytes = held_bytes()
        feed(reader, range(6_000, 12_000))
        grown_bytes = held_bytes() - full_bytes
    finally:
        tracemalloc.stop()

    assert reader.lines == 36_000
    assert grown_bytes < 3_000_000  # unbounded tags alone: 9 MB


def test_counts_stay_exact_beyond_what_tables_hold() -> None:
    lines = [
        f"{HEAD}[r{number}] {message}"
        for number in range(6_000)
        for message in ("BEGIN (implicit)", f"SELECT x{number} FROM t", PARAMETERS)
    ]

    tally = read("\n".join(lines))

    assert (tally.statements, tally.tag_count, tally.begins) == (6_000, 6_000, 6_000)
    assert (len(tally.shapes), tally.unlisted_statements) == (5_000, 1_000)
    assert tally.by_tag.by_statements == {1: 6_000}


def test_a_line_without_end_is_read_in_part() -> None:
    stream = io.BytesIO(b"x" * (3 << 20) + b"\nshort\n" + b"y" * (2 << 20))

    lengths = [len(line) for line in bounded_lines(stream)]

    assert lengths == [1 << 20, 6, 1 << 20]


PIECES = st.sampled_from(
    [
        *(HEAD, "BEGIN (implicit)", "COMMIT", "SELECT 1", "\n", "\r\n", PARAMETERS, "[r1] "),
        *("FROM t", "web-1 | ", '{"message": "', '"}', "\x1b[0m", "[raw sql] (", "\\", "'", '"'),
        *("[insertmanyvalues 2/3 (ordered)] (", "INSERT INTO t VALUES (", "SAVEPOINT s", "msg="),
    ]
)


@given(st.binary(max_size=2000))
@example(b" " * 100_000 + b"FROM")
@example(b"[" * 100_000)
@example(HEAD.encode() + b"(" * 100_000 + b"[raw sql] (")
@example(b'{"message": ' * 20_000 + b"}")
def test_no_bytes_break_the_reader(log: bytes) -> None:
    tally = read(log)

    assert 0 <= tally.statements <= tally.round_trips


@given(st.lists(PIECES | st.text(max_size=8), max_size=60))
def test_no_mixture_of_what_it_knows_breaks_the_reader(pieces: list[str]) -> None:
    tally = read("".join(pieces).encode("utf-8", "surrogatepass"))

    assert 0 <= tally.statements <= tally.round_trips
    assert sum(each.statements for each in tally.shapes) == tally.statements
