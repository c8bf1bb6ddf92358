"""A session that a fixture keeps for the whole run, as the most used templates have it."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project

# Starlette's own client recommends another package than the one that everybody has.
IGNORED = '"ignore:Using .httpx.", "default::harness.errors.EndedConnectionWarning"'
LENIENT = SESSION_LOOPS.replace('["error"]', f'["error", {IGNORED}]')
MODES = pytest.mark.parametrize("isolation", ["rollback", "clone"])

DATABASE = """
import os
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["SHOP_DATABASE_URL"])

class Base(DeclarativeBase): ...

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

def get_session():
    with Session(engine) as session:
        yield session
"""
MAIN = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from shop.database import Author, get_session

app = FastAPI()
Session = Annotated[Session, Depends(get_session)]

@app.get("/authors")
def count_authors(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Author))

@app.post("/authors/{name}")
def add_author(name: str, session: Session) -> None:
    session.add(Author(name=name))
    session.commit()
"""
SYNC_TABLE = """
[tool.harness]
app = "shop.main:app"
metadata = "shop.database:Base"
env.SHOP_DATABASE_URL = "{sync_url}"
isolation = "ISOLATION"
"""
FIXTURES = """
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete
from sqlalchemy.orm import Session
from shop.database import Author, engine
from shop.main import app

@pytest.fixture(scope="session", autouse=True)
def db():
    with Session(engine) as session:
        first = Author(name="first")
        session.add(first)
        session.commit()
        session.refresh(first)
        yield session
        assert session.query(Author).count() <= 2
        session.execute(delete(Author))
        session.commit()

@pytest.fixture(scope="module")
def http():
    with TestClient(app) as client:
        yield client

@pytest.fixture(scope="module")
def second(http, db):
    http.post("/authors/second")
    return db.query(Author).filter_by(name="second").one()
"""
UNCOMMITTED = """
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from shop.database import Author, engine
from shop.main import app

@pytest.fixture(scope="session", autouse=True)
def db():
    with Session(engine) as session:
        session.add(Author(name="first"))
        session.flush()
        yield session

@pytest.fixture
def http():
    return TestClient(app)
"""
TESTS = """
import pytest
from shop.database import Author

@pytest.mark.parametrize("number", range(3))
def test_both_see_what_the_other_commits(db, http, second, number):
    assert http.get("/authors").json() == 2
    http.post("/authors/by the application")
    assert db.query(Author).filter_by(name="by the application").one()
    made = Author(name="by the test")
    db.add(made)
    db.commit()
    db.refresh(made)
    assert http.get("/authors").json() == 4
"""
AWAITED = """
import pytest
from sqlalchemy import func, select
from shop.database import Author, sessions

@pytest.fixture(scope="session", autouse=True)
async def db():
    async with sessions() as session:
        first = Author(name="first")
        session.add(first)
        await session.commit()
        await session.refresh(first)
        yield session
        assert await session.scalar(select(func.count()).select_from(Author)) == 6

@pytest.mark.parametrize("number", range(3))
async def test_both_see_what_the_other_commits(db, client, number):
    assert (await client.post("/authors/by the application")).json() == 7
    db.add(Author(name="by the test"))
    await db.commit()
    assert await db.scalar(select(func.count()).select_from(Author)) == 8
    assert (await client.get("/authors")).json() == 8
"""


@pytest.fixture
def blocking(project: Project, isolation: str) -> Project:
    """A project of `def` endpoints with a driver that blocks."""
    project.write("shop/database.py", DATABASE)
    project.write("shop/main.py", MAIN)
    project.write("conftest.py", FIXTURES)
    table = SYNC_TABLE.replace("ISOLATION", isolation)
    project.configure(table=table, pytest_options=LENIENT)
    return project


@MODES
def test_a_session_of_the_whole_run_works_in_all_tests(blocking: Project) -> None:
    result = blocking.run(TESTS)

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*PendingRollbackError*")


@MODES
def test_an_awaited_session_of_the_whole_run_works_in_all_tests(
    project: Project, isolation: str
) -> None:
    project.configure(table=f'{TABLE}\nisolation = "{isolation}"\n')

    result = project.run(AWAITED)

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("isolation", ["clone"])
def test_uncommitted_rows_are_not_left_out_in_silence(blocking: Project) -> None:
    blocking.write("conftest.py", UNCOMMITTED)

    result = blocking.run("""
        def test_counts(http):
            assert http.get("/authors").json() == 0
    """)

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*(idle in transaction) is ended*"])


@pytest.mark.parametrize("isolation", ["rollback"])
def test_advice_on_it_does_not_send_to_clone_mode_which_changes_nothing(
    blocking: Project,
) -> None:
    blocking.write("conftest.py", UNCOMMITTED)

    result = blocking.run("""
        from shop.database import Author

        def test_counts(db):
            assert db.query(Author).count() == 1
    """)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_shop.py:*db.query(Author)*", "*[[]uncommitted-rows[]]"])
    result.stdout.no_fnmatch_line("*@pytest.mark.database*")


@pytest.mark.parametrize("isolation", ["rollback"])
def test_every_test_that_fails_for_a_session_of_an_earlier_one_says_so_and_where_it_began(
    blocking: Project,
) -> None:
    result = blocking.run("""
        import pytest
        from sqlalchemy.orm import Session, scoped_session, sessionmaker
        from shop.database import Author, engine

        forgotten = scoped_session(sessionmaker(engine))

        def test_first():
            forgotten.query(Author).count()

        @pytest.mark.parametrize("number", range(3))
        def test_later(number):
            forgotten.add(Author(name=f"author {number}"))
            forgotten.commit()

        def test_last():
            forgotten.remove()
    """)

    result.assert_outcomes(passed=2, failed=3)
    stdout = str(result.stdout)
    assert stdout.count("opened in an earlier test is still in use") >= 3
    result.stdout.fnmatch_lines(["*is that of the test (begun at test_shop.py:9)*"])
