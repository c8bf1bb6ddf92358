"""A small project as a user has it: an application, its database module and a configuration.

One server serves all of them: its URL stands in the environment, as it would in CI.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from harness.database.server import PostgresServer

DATABASE = """
import os
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

engine = create_async_engine(os.environ["SHOP_DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)

class Base(DeclarativeBase): ...

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")

class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")

async def get_session():
    async with sessions() as session:
        yield session

async def populate(session):
    session.add_all(Author(name=f"author {n}", books=[Book()]) for n in range(5))
"""

MAIN = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from shop.database import Author, get_session

app = FastAPI()
Session = Annotated[AsyncSession, Depends(get_session)]

@app.get("/authors")
async def count_authors(session: Session) -> int:
    return await session.scalar(select(func.count()).select_from(Author))

@app.post("/authors/{name}")
async def add_author(name: str, session: Session) -> int:
    session.add(Author(name=name))
    await session.commit()
    return await session.scalar(select(func.count()).select_from(Author))

@app.get("/books")
@app.get("/shelves")
async def books_per_author(session: Session) -> list[int]:
    def load(session):
        return [len(author.books) for author in session.scalars(select(Author))]
    return await session.run_sync(load)
"""

TABLE = """
[tool.harness]
app = "shop.main:app"
metadata = "shop.database:Base"
session_dependency = "shop.database:get_session"
populate = "shop.database:populate"
env.SHOP_DATABASE_URL = "{async_url}"
"""

SESSION_LOOPS = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
filterwarnings = ["error"]
addopts = ["-p", "no:cacheprovider"]
"""


class Project:
    """A project in a folder of its own, and its runs of pytest."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.write("shop/__init__.py", "")
        self.write("shop/database.py", DATABASE)
        self.write("shop/main.py", MAIN)
        self.configure()

    def configure(self, *, table: str = TABLE, pytest_options: str = SESSION_LOOPS) -> None:
        """Write ``pyproject.toml``."""
        self.write("pyproject.toml", table + pytest_options)

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        file = self._pytester.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))

    def read(self, path: str) -> str:
        """A file that the project's tests have written."""
        return (self._pytester.path / path).read_text()

    def run(self, tests: str, *options: str) -> pytest.RunResult:
        """Run pytest on one module of tests."""
        self.write("test_shop.py", tests)
        # Plugins of this suite that a user's project hardly has; they take 0.6 s to load.
        others = ("locust", "randomly", "schemathesis", "hypothesispytest")
        without = [part for name in others for part in ("-p", f"no:{name}")]
        return self._pytester.runpytest_subprocess("-q", *without, *options)

    def run_python(self, script: str, *arguments: str) -> pytest.RunResult:
        """Run a program of the project's."""
        return self._pytester.run(sys.executable, script, *arguments)

    def path(self, name: str) -> Path:
        """Where a file of the project is, or would be."""
        return self._pytester.path / name


@pytest.fixture
def project(
    pytester: pytest.Pytester, harness_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project that uses the server of this test run."""
    url = harness_postgres.address.url("postgres").set(drivername="postgresql")
    monkeypatch.setenv("HARNESS_POSTGRES", url.render_as_string(hide_password=False))
    monkeypatch.delenv("HARNESS_APP", raising=False)
    # The subprocess stands for the user's own run: nothing of ours may be measured or found in it.
    for name in ("COVERAGE_PROCESS_START", "PYTHONPATH", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)


@pytest.fixture
def local_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on files of SQLite, at a developer's and not in CI."""
    outside = ("HARNESS_POSTGRES", "HARNESS_APP", "CI", "BUILD_NUMBER", "GITHUB_ACTIONS")
    for name in (*outside, "COVERAGE_PROCESS_START", "PYTHONPATH", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    project = Project(pytester)
    project.configure(table=f'{TABLE}postgres = "sqlite"\n')
    return project
