"""A file for each test: what is real in it, what it begins with, and what is left of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool, Pool, QueuePool, SingletonThreadPool, StaticPool

from harness.database.copies import MOST_KEPT
from harness.database.sqlite.locks import explained_locks
from harness.errors import EscapedConnectionError, NoDatabaseError
from tests.database.sqlite.conftest import NOTES, Bench


def inserted(body: str) -> str:
    return f"INSERT INTO notes VALUES ('{body}')"


def test_what_a_test_commits_is_not_seen_by_the_next(bench: Bench) -> None:
    first = bench.test(lambda: bench.add("ada"))
    second = bench.test(bench.notes)

    assert (first, second) == (["ada", "base line"], ["base line"])


def test_a_rollback_after_an_error_is_followed_by_more_work(bench: Bench) -> None:
    async def body() -> list[str]:
        async with AsyncSession(bench.engine) as session:
            await session.execute(text(inserted("ada")))
            await session.commit()
            with pytest.raises(IntegrityError):
                await session.execute(text(inserted("ada")))
            await session.rollback()
            await session.execute(text(inserted("bob")))
            await session.commit()
        return await bench.notes()

    assert bench.test(body) == ["ada", "base line", "bob"]


def test_a_background_task_with_the_global_session_maker_works_on_the_same_file(
    bench: Bench,
) -> None:
    sessions = async_sessionmaker(bench.engine)

    async def background() -> None:
        async with sessions.begin() as session:
            await session.execute(text(inserted("later")))

    async def body() -> list[str]:
        await bench.add("ada")
        await asyncio.create_task(background())
        return await bench.notes()

    assert bench.test(body) == ["ada", "base line", "later"]
    assert bench.test(bench.notes) == ["base line"]


def test_writers_at_once_wait_for_each_other_and_all_commit(bench: Bench) -> None:
    numbers = [f"{number:02}" for number in range(20)]

    async def body() -> list[str]:
        await asyncio.gather(*(bench.add(number) for number in numbers))
        return await bench.notes()

    assert bench.test(body) == [*numbers, "base line"]


def test_threads_work_on_the_same_file(bench: Bench) -> None:
    def write(body: str) -> None:
        with bench.sessions.begin() as session:
            session.execute(text(inserted(body)))

    with bench.one_test():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, "abcdefgh"))
        with bench.sessions() as session:
            notes = list(session.scalars(NOTES))

    assert notes == sorted(["base line", *"abcdefgh"])


def test_two_drivers_see_what_the_other_has_committed(bench: Bench) -> None:
    async def body() -> list[str]:
        await bench.add("awaited")
        with bench.sessions.begin() as session:
            session.execute(text(inserted("blocking")))
            assert "awaited" in session.scalars(NOTES)
        return await bench.notes()

    assert bench.test(body) == ["awaited", "base line", "blocking"]


def test_an_open_transaction_is_not_seen_by_others_and_locks_them_out(bench: Bench) -> None:
    impatient = create_engine(
        bench.url.set(drivername="sqlite"), poolclass=NullPool, connect_args={"timeout": 0.01}
    )

    with bench.one_test(), bench.sessions() as session:
        session.execute(text(inserted("open")))
        with impatient.connect() as other:
            assert list(other.scalars(NOTES)) == ["base line"]
            with pytest.raises(OperationalError, match="database is locked"):
                other.execute(text(inserted("other")))


def test_an_error_of_a_lock_says_what_to_end(bench: Bench) -> None:
    url = bench.url.set(drivername="sqlite", query={"timeout": "0.01"})
    impatient = create_engine(url, poolclass=NullPool)

    with bench.one_test(), bench.sessions() as session, impatient.connect() as other:
        session.execute(text(inserted("open")))
        with explained_locks(), pytest.raises(OperationalError) as explained:
            other.execute(text(inserted("other")))
        with pytest.raises(OperationalError) as plain:
            other.execute(text(inserted("other")))

    assert "await db_session.commit()" in explained.value.__notes__[0]
    assert not hasattr(plain.value, "__notes__")


def test_other_errors_get_no_note(bench: Bench) -> None:
    with bench.one_test(), explained_locks(), bench.sessions() as session:
        session.execute(text(inserted("ada")))
        with pytest.raises(IntegrityError) as caught:
            session.execute(text(inserted("ada")))

    assert not hasattr(caught.value, "__notes__")


def test_keys_are_enforced_where_the_application_says_so(bench: Bench) -> None:
    with (
        bench.one_test(),
        bench.sessions() as session,
        pytest.raises(IntegrityError, match="FOREIGN KEY"),
    ):
        session.execute(text("INSERT INTO remarks VALUES ('nobody')"))


def test_an_engine_made_in_the_test_is_led_to_its_file(bench: Bench) -> None:
    async def body() -> list[str]:
        await bench.add("ada")
        engine = create_async_engine(bench.url)
        async with engine.connect() as connection:
            found = list(await connection.scalars(NOTES))
        await engine.dispose()
        return found

    assert bench.test(body) == ["ada", "base line"]


@pytest.mark.parametrize("pool", [NullPool, QueuePool, SingletonThreadPool, StaticPool])
def test_every_kind_of_pool_follows_from_test_to_test(bench: Bench, pool: type[Pool]) -> None:
    engine = create_engine(bench.url.set(drivername="sqlite"), poolclass=pool)
    seen = []

    for name in ("ada", "bob"):
        with bench.one_test(), engine.begin() as connection:
            connection.execute(text(inserted(name)))
            seen.append(list(connection.scalars(NOTES)))
    engine.dispose()

    assert seen == [["ada", "base line"], ["base line", "bob"]]


@pytest.mark.parametrize("options", ["uri=true", "uri=true&mode=rw&cache=private"])
def test_an_address_is_led_as_a_path_is(bench: Bench, options: str) -> None:
    engine = create_engine(f"sqlite:///file:{bench.file}?{options}", poolclass=NullPool)

    with bench.one_test(), engine.begin() as connection:
        connection.execute(text(inserted("ada")))

    assert bench.test(bench.notes) == ["base line"]


def test_what_an_address_asks_for_is_kept(bench: Bench) -> None:
    engine = create_engine(f"sqlite:///file:{bench.file}?uri=true&mode=ro", poolclass=NullPool)

    with (
        bench.one_test(),
        engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.execute(text(inserted("ada")))


def test_a_link_to_the_file_is_the_file(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(bench.file)

    with bench.one_test(), create_engine(f"sqlite:///{link}", poolclass=NullPool).begin() as one:
        one.execute(text(inserted("ada")))

    assert bench.test(bench.notes) == ["base line"]


def test_what_is_written_outside_of_tests_is_in_the_next_copy(bench: Bench) -> None:
    assert bench.test(bench.notes) == ["base line"]

    with closing(sqlite3.connect(bench.file)) as stranger:
        stranger.execute(inserted("stranger"))
        stranger.commit()
    bench.await_(lambda: bench.add("wider fixture"))

    assert bench.test(bench.notes) == ["base line", "stranger", "wider fixture"]


def test_what_is_written_in_a_bypass_is_in_the_copy(bench: Bench) -> None:
    with bench.one_test():
        with bench.sandbox.bypassed():
            bench.await_(lambda: bench.add("lifespan"))
        notes = bench.await_(bench.notes)

    assert notes == ["base line", "lifespan"]


def test_a_log_that_is_written_ahead_is_in_the_copy(bench: Bench) -> None:
    with closing(sqlite3.connect(bench.file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(inserted("ahead"))
        connection.commit()

        async def body() -> tuple[list[str], str]:
            notes = await bench.notes()
            async with bench.engine.connect() as led:
                return notes, str(await led.scalar(text("PRAGMA journal_mode")))

        assert bench.test(body) == (["ahead", "base line"], "wal")


def test_an_empty_database_has_no_tables(bench: Bench) -> None:
    async def body() -> int:
        async with bench.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE mine (id INTEGER)"))
            return int(await connection.scalar(text("SELECT count(*) FROM sqlite_master")) or 0)

    assert bench.test(body, "empty") == 1


def test_a_test_that_does_not_connect_makes_no_file(bench: Bench) -> None:
    before = bench.files()

    with bench.one_test():
        during = bench.files()

    assert during == before


def test_files_go_with_their_tests(bench: Bench) -> None:
    async def body() -> None:
        async with bench.engine.begin() as connection:
            await connection.execute(text("PRAGMA journal_mode = WAL"))
        await bench.add("ada")

    bench.test(body)
    left = AsyncSession(bench.engine)
    bench.test(lambda: left.execute(text(inserted("of a session that stays open"))))

    assert bench.files() == {"harness.db", "harness.snapshot"}
    bench.await_(left.close)


def test_connections_and_their_threads_end_with_their_test(bench: Bench) -> None:
    before = set(threading.enumerate())
    opened: list[object] = []
    for engine in (bench.blocking, bench.engine.sync_engine):
        event.listen(engine, "connect", lambda connection, _record: opened.append(connection))
        event.listen(engine, "close", lambda connection, _record: opened.remove(connection))

    with bench.one_test():
        bench.await_(bench.notes)
        with bench.sessions() as session:
            session.execute(NOTES)
        during = len(opened)
        threads = set(threading.enumerate()) - before
    for thread in threads:
        thread.join(timeout=5)

    assert (during, opened) == (2, [])
    assert [len(threads), *(thread.is_alive() for thread in threads)] == [1, False]


def test_a_file_that_stays_locked_is_an_error_that_names_it(bench: Bench) -> None:
    bench.copies.baseline.wait_seconds = 0.05
    with closing(sqlite3.connect(bench.file)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NoDatabaseError, match="locked") as caught:
            bench.test(bench.notes)
    assert str(bench.file) in str(caught.value)

    assert bench.test(bench.notes) == ["base line"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param("sqlite:///{folder}/other.db", "other.db", id="a file"),
        pytest.param("sqlite:///file:{folder}/other.db?uri=true", "other.db", id="an address"),
        pytest.param("postgresql+psycopg://me@127.0.0.1:1/shop", "'shop' on port 1", id="a server"),
    ],
)
def test_another_database_is_an_escape(bench: Bench, tmp_path: Path, url: str, place: str) -> None:
    engine = create_engine(url.format(folder=tmp_path))

    with bench.one_test(), pytest.raises(EscapedConnectionError, match=place):
        engine.connect()
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true&cache=shared",
        "sqlite:///file:mine?mode=memory&cache=shared&uri=true",
    ],
)
def test_a_database_in_memory_is_the_applications_own(bench: Bench, url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)

    with bench.one_test(), engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM sqlite_master")) == 0


def test_a_kept_file_has_what_the_test_has_committed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with bench.one_test() as own:
        bench.await_(lambda: bench.add("ada"))
        kept = bench.copies.keep(own, test="tests/test_a.py::test_it[a b]")

    assert Path(kept).name == "test_it_a_b.db"
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (2,)


def test_only_the_newest_are_kept(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = []

    for number in range(MOST_KEPT + 2):
        with bench.one_test() as own:
            bench.await_(bench.notes)
            kept.append(Path(bench.copies.keep(own, test=f"test_{number}")))

    assert [file.exists() for file in kept] == [False, False, *[True] * MOST_KEPT]


def test_a_test_that_has_not_connected_keeps_nothing(bench: Bench) -> None:
    with bench.one_test() as own:
        assert bench.copies.keep(own, test="test_it") == ""
