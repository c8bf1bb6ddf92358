"""The distributions as a stranger gets them: built, installed elsewhere, used in another project.

The environments are made once and kept in the user's cache folder, one for each set of
requirements; the wheel itself is installed anew by every run.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

from harness.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PLANTED = "n-plus-one Author.books @ GET /authors"
ALLOWED = "pool-exhaustion errors @ the whole application"  # no handler makes a full pool a 503
# What would let this run's own environment into the other one.
OURS_ALONE = ("PYTHON", "PYTEST_", "COVERAGE_", "COV_", "VIRTUAL_ENV", "HARNESS_")

SECOND_REPOSITORY = {
    "pyproject.toml": """
[project]
name = "shop"
version = "1.0"

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
filterwarnings = ["error"]

[tool.harness]
app = "shop.main:app"
metadata = "shop.models:Base"
session_dependency = "shop.main:get_session"
populate = "fixtures.rows:populate"

[tool.harness.env]
DATABASE_URL = "{async_url}"
""",
    "conftest.py": 'pytest_plugins = ["fixtures.authors"]\n',
    "fixtures/__init__.py": "",
    "fixtures/rows.py": """
from shop.models import Author, Book


def populate(session):
    for name in ("Austen", "Brontë", "Calvino", "Dumas", "Eco"):
        session.add(Author(name=name, books=[Book(title=f"{name} {n}") for n in (1, 2)]))
""",
    "fixtures/authors.py": """
import pytest

from shop.models import Author


@pytest.fixture
async def ursula(db_session):
    author = Author(name="Ursula")
    db_session.add(author)
    await db_session.commit()
    return author
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
""",
    "shop/main.py": """
import os
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

from shop.models import Author, Book

engine = create_async_engine(os.environ["DATABASE_URL"])
app = FastAPI()


async def get_session():
    async with AsyncSession(engine) as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


@app.get("/authors")
async def authors(session: Session) -> dict[str, int]:
    found = await session.scalars(select(Author).order_by(Author.id))
    return {author.name: len(await author.awaitable_attrs.books) for author in found.all()}


@app.get("/shelves")
async def shelves(session: Session) -> dict[str, list[str]]:
    found = await session.scalars(select(Author).options(selectinload(Author.books)))
    return {author.name: [book.title for book in author.books] for author in found}


@app.post("/books")
async def add_book(session: Session, title: str, author_id: int) -> None:
    session.add(Book(title=title, author_id=author_id))
    await session.commit()
""",
    "tests/test_shop.py": """
import pytest
from sqlalchemy import func, select

from shop.models import Author, Book


async def test_a_posted_book_is_on_its_authors_shelf(client, db_session, queries, ursula):
    await client.post("/books", params={"title": "Rocannon", "author_id": ursula.id})

    assert await db_session.scalar(select(func.count(Book.id))) == 11
    assert queries["POST /books"].count == 1


@pytest.mark.max_queries(per_request=2)
async def test_shelves_take_two_statements_and_nothing_of_other_tests(client, db_session):
    shelves = (await client.get("/shelves")).json()

    assert len(shelves) == await db_session.scalar(select(func.count(Author.id))) == 5
    assert sum(map(len, shelves.values())) == 10
""",
}
ALLOWANCE = f"""
[[tool.harness.allow]]
identity = "{ALLOWED}"
reason = "planted"
"""


@dataclass(frozen=True, slots=True)
class Distributions:
    wheel: Path
    sdist: Path

    @property
    def metadata(self) -> Message:
        return HeaderParser().parsestr(self.text("METADATA"))

    def text(self, name: str) -> str:
        """A file of the wheel's ``dist-info``."""
        with zipfile.ZipFile(self.wheel) as wheel:
            (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
            return wheel.read(path).decode()


@dataclass(frozen=True, slots=True)
class Environment:
    """An installation apart from the one that these tests run in."""

    folder: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        clean = {key: text for key, text in os.environ.items() if not key.startswith(OURS_ALONE)}
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=cwd,
            env={**clean, "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _python(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"


def _pip_install(folder: Path, *arguments: str) -> None:
    python = str(folder / "bin" / "python")
    _python(
        "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "-q", *arguments
    )


def _installed(
    built: Distributions, kept: Path, name: str, *, extras: str = "", beside: Sequence[str] = ()
) -> Environment:
    """An environment with what the wheel needs, and the wheel as it was built now.

    Those of earlier requirements are removed.
    """
    told = [sys.version, CONSTRAINTS.read_text(encoding="utf-8"), extras, *beside]
    told += sorted(built.metadata.get_all("Requires-Dist", []))
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
    folder = kept / f"{name}-{key}"
    if not (folder / "complete").exists():
        for former in kept.glob(f"{name}-*"):
            shutil.rmtree(former)
        _python("-m", "venv", "--without-pip", str(folder))
        _pip_install(folder, f"{built.wheel}{extras}", *beside, "-c", str(CONSTRAINTS))
        (folder / "complete").touch()
    _pip_install(folder, "--force-reinstall", "--no-deps", str(built.wheel))
    return Environment(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The source distribution, and the wheel built from that."""
    folder = tmp_path_factory.mktemp("dist")
    _python("-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """Where the environments are; until the last test here, nobody else installs into them."""
    folder = user_cache_path("fastapi-sqlalchemy-harness") / "wheel-tests"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        yield folder


@pytest.fixture(scope="module")
def everything(built: Distributions, kept: Path) -> Environment:
    """The wheel with all extras, beside FastAPI."""
    return _installed(built, kept, "all", extras="[all]", beside=["fastapi"])


@pytest.fixture(scope="module")
def base(built: Distributions, kept: Path) -> Environment:
    """The wheel with SQLAlchemy alone: what goes into a production process."""
    return _installed(built, kept, "base")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Another project, with a ``fixtures`` package of its own and an N+1."""
    for name, text in SECOND_REPOSITORY.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "shop"


def test_the_wheel_brings_the_package_harness_and_nothing_else(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        tops = {path.partition("/")[0] for path in wheel.namelist()}

    assert tops == {"harness", f"fastapi_sqlalchemy_harness-{built.metadata['Version']}.dist-info"}


def test_the_wheel_holds_every_file_of_the_package(built: Distributions) -> None:
    package = ROOT / "harness"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(built.wheel) as wheel:
        missing = files.difference(wheel.namelist())

    assert missing == set()
    assert files > {
        "harness/py.typed",
        "harness/load/scenarios/browse.py",
        "harness/lock/query-lock.schema.json",
        "harness/report/load-report.schema.json",
        "harness/report/report.schema.json",
        "harness/report/templates/report.html.j2",
    }


def test_the_wheel_announces_its_command_and_its_plugins(built: Distributions) -> None:
    found = configparser.ConfigParser()
    found.read_string(built.text("entry_points.txt"))

    assert {name: dict(found[name]) for name in found.sections()} == {
        "console_scripts": {"harness": "harness.__main__:main"},
        "pytest11": {"harness": "harness.pytest_plugin"},
        "sqlalchemy.plugins": {"harness": "harness.engine_plugin:PoolOverride"},
    }


def test_the_wheel_needs_sqlalchemy_alone(built: Distributions) -> None:
    needed = built.metadata.get_all("Requires-Dist", [])

    assert [line.partition(">")[0] for line in needed if "extra ==" not in line] == [
        "sqlalchemy[asyncio]"
    ]


def test_the_source_distribution_holds_what_make_test_needs(built: Distributions) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    own = Path(__file__).relative_to(ROOT).as_posix()
    assert names > {own, "Makefile", "constraints.txt", "conftest.py", "pyproject.toml"}
    assert names > {"target_app/main.py", "fixtures/factories.py", "loadtests/browse.py"}


def test_the_base_install_probes_a_production_process(base: Environment, tmp_path: Path) -> None:
    done = base.run("python", "-c", "from harness import Probe; print(Probe)", cwd=tmp_path)

    assert done.stdout == "<class 'harness.middleware.Probe'>\n"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["checkup"]], ids=" ".join)
def test_the_command_of_the_base_install_names_the_extra_that_it_needs(
    base: Environment, tmp_path: Path, arguments: list[str]
) -> None:
    done = base.run("harness", *arguments, cwd=tmp_path)

    assert done.returncode == ExitCode.ENVIRONMENT
    assert "pip install 'fastapi-sqlalchemy-harness[all]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["checkup"]], ids=["harness", "harness checkup"])
def test_help_shows_an_example(
    everything: Environment, tmp_path: Path, arguments: list[str]
) -> None:
    done = everything.run("harness", *arguments, "--help", cwd=tmp_path)

    assert done.returncode == ExitCode.CLEAN
    assert "Example" in done.stdout
    assert "harness checkup" in done.stdout.partition("Example")[2]


def test_another_project_with_fixtures_of_its_own_is_isolated_and_counted(
    everything: Environment, shop: Path
) -> None:
    done = everything.run("pytest", "-q", cwd=shop)

    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.OK


def test_a_query_too_many_fails_the_other_projects_test(
    everything: Environment, shop: Path
) -> None:
    file = shop / "tests" / "test_shop.py"
    file.write_text(file.read_text(encoding="utf-8").replace("per_request=2", "per_request=1"))

    done = everything.run("pytest", "-q", cwd=shop)

    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "GET /shelves" in done.stdout


def test_a_checkup_of_another_project_fails_for_what_is_planted_and_not_allowed(
    everything: Environment, shop: Path
) -> None:
    with (shop / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(ALLOWANCE)

    done = everything.run("harness", "checkup", "--strict-allow", cwd=shop)

    assert done.returncode == ExitCode.FINDINGS, done.stdout + done.stderr
    assert "shop/main.py" in done.stdout
    found = json.loads((shop / "harness-report" / "report.json").read_text("utf-8"))["findings"]
    assert [finding["identity"] for finding in found["open"]] == [PLANTED]
    assert [finding["identity"] for finding in found["accepted"]] == [ALLOWED]
    assert "Author.books" in (shop / "harness-report" / "report.html").read_text(encoding="utf-8")
