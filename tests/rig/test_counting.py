"""What a driver counts through the rig: rows that it adds, statements by server and by log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from harness.errors import IsolationError, MisuseError, NoPostgresError
from harness.rig.client import Rig, rig_process
from harness.rig.protocol import Serving
from tests.rig.projects import write_project


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    yield shared_rig
    shared_rig.stop()


def write_note(serving: Serving) -> None:
    httpx.post(f"{serving.url}/notes", timeout=30).raise_for_status()


def test_rows_are_added_to_a_copy_that_ends_with_the_serving(rig: Rig) -> None:
    rig.serve(is_scratch=True)
    grown = [rig.grow_rows(rows) for rows in (2, 5)]
    rig.stop()

    assert [(each.rows, each.tables, each.short) for each in grown] == [(2, 1, ()), (5, 1, ())]
    assert rig.rows("SELECT count(*) FROM notes") == 0
    copies = "SELECT count(*) FROM pg_database WHERE datname LIKE current_database() || '\\_s%'"
    assert rig.rows(copies) == 0


def test_what_is_served_on_the_copy_works_there(rig: Rig) -> None:
    serving = rig.serve(is_scratch=True)
    write_note(serving)
    write_note(serving)

    assert rig.rows("SELECT count(*) FROM notes") == 0


def test_the_applications_own_database_gets_no_rows(rig: Rig) -> None:
    rig.serve()

    with pytest.raises(MisuseError, match="rows are added to a copy"):
        rig.grow_rows(2)


def test_an_application_that_echoes_writes_its_statements_into_the_log(rig: Rig) -> None:
    serving = rig.serve(is_echoing=True)
    write_note(serving)

    assert "INSERT INTO notes" in Path(serving.log).read_text(encoding="utf-8")


def test_it_does_not_unless_it_is_asked_to(rig: Rig) -> None:
    serving = rig.serve()
    write_note(serving)

    assert "INSERT INTO notes" not in Path(serving.log).read_text(encoding="utf-8")


@pytest.mark.group("system")
def test_the_server_counts_what_each_look_found_since_the_last(tmp_path: Path) -> None:
    project = write_project(tmp_path, name="counted_shop", postgres="system")
    with rig_process(environment={"HARNESS_POSTGRES": "system"}) as rig:
        try:
            rig.start(project)
        except NoPostgresError as error:
            pytest.skip(error.what)
        serving = rig.serve(is_scratch=True)
        with rig.statements() as taken:
            assert not isinstance(taken, str)
            looks = [_after_notes(serving, count, taken) for count in (1, 2, 0)]

    # The first one holds what an engine asks on its first connection, too.
    assert [sum(ran.values()) for ran in looks[1:]] == [2, 0]
    assert set(looks[1]) <= set(looks[0])
    assert "INSERT INTO notes" in min(looks[1])


def _after_notes(
    serving: Serving, count: int, taken: Callable[[], Mapping[str, int]]
) -> Mapping[str, int]:
    for _ in range(count):
        write_note(serving)
    return taken()


def test_a_server_that_does_not_count_says_why(rig: Rig) -> None:
    rig.serve()

    with rig.statements() as taken:
        assert "pg_stat_statements" in str(taken)


def test_on_sqlite_there_is_neither_a_copy_nor_a_count(tmp_path: Path) -> None:
    with rig_process() as rig:
        rig.start(write_project(tmp_path, name="uncounted_shop", postgres="sqlite"))
        with pytest.raises(IsolationError, match="on PostgreSQL only"):
            rig.serve(is_scratch=True)
        rig.serve()

        with rig.statements() as taken:
            assert taken == "SQLite counts no statements"
