"""Each kind of regression, made in a copy of the application, and what the gate says about it.

The copy has the reference application's source, a few tests and the lock of what they do. A test
edits the source in one place, as a pull request would, and runs pytest on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

from harness.database.server import PostgresServer
from harness.lock.file import read

PYPROJECT = """
[tool.harness]
app = "target_app.main:create_app"
alembic = "target_app/alembic.ini"
session_dependency = "target_app.db:get_session"
populate = "fixtures.factories:populate"
env.TARGET_APP_DATABASE_URL = "{async_url}"

[tool.pytest.ini_options]
pythonpath = ["."]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
filterwarnings = ["error"]
addopts = ["-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:randomly"]
"""
TESTS = """
import pytest

@pytest.mark.parametrize("path", ["/users", "/posts", "/posts/1"])
async def test_reading(client, path):
    assert (await client.get(path)).status_code == 200
"""
REPOSITORY = "target_app/posts/repository.py"
ROUTER = "target_app/posts/router.py"
LOADED = "joinedload(Post.author), selectinload(Post.tags)).order_by"
LOADED_TWICE = LOADED.replace(").order_by", ", selectinload(Post.comments)).order_by")
ONE_BY_ONE = """
        loaded = posts.all()
        for post in loaded:
            await post.awaitable_attrs.tags
        return loaded
"""
NEW_ENDPOINT = '''

@router.get("/authors")
async def list_authors(page: Page, posts: Posts) -> list[str]:
    """List the author of each post."""
    found = await posts.rows.page(page)
    return [(await post.awaitable_attrs.author).name for post in found]
'''


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run of pytest came to."""

    exit_code: int
    lines: list[str]

    def section(self, name: str) -> list[str]:
        """The lines that pytest shows under a heading, each blank as one."""
        lines = iter(self.lines)
        for line in lines:
            if line.strip("_= ") == name:
                shown = takewhile(lambda each: not each.startswith(("___", "===")), lines)
                return [" ".join(each.split()) for each in shown]
        return []


@dataclass(frozen=True, slots=True)
class Copy:
    """The application in a folder of its own."""

    folder: Path
    environment: Mapping[str, str]

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a piece of a source file."""
        file = self.folder / path
        before = file.read_text("utf-8")
        assert before.count(old) == 1, f"{old!r} is in {path} {before.count(old)} times"
        file.write_text(before.replace(old, new), "utf-8")

    def place(self, path: str, code: str) -> str:
        """``path:line`` of the only line with a piece of code."""
        lines = (self.folder / path).read_text("utf-8").splitlines()
        [number] = [number for number, line in enumerate(lines, start=1) if code in line]
        return f"{path}:{number}"

    def run(self, mode: str) -> Ended:
        """Run the tests."""
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--query-lock={mode}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, (ended.stdout + ended.stderr).splitlines())

    @property
    def lock(self) -> Path:
        """The committed file."""
        return self.folder / "query-lock.json"


@pytest.fixture(scope="module")
def environment(harness_postgres: PostgresServer) -> Mapping[str, str]:
    """The variables of a run on the server of this one."""
    url = harness_postgres.address.url("postgres").set(drivername="postgresql")
    ours = ("HARNESS_", "COVERAGE_", "PYTEST_", "PYTHONPATH", "TARGET_APP_", "CI", "GITHUB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"HARNESS_POSTGRES": url.render_as_string(hide_password=False)}


def _copied(folder: Path, source: Path, environment: Mapping[str, str]) -> Copy:
    for name in ("target_app", "fixtures"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / name, folder / name, ignore=ignored)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "test_shop.py").write_text(TESTS)
    return Copy(folder, environment)


@pytest.fixture(scope="module")
def committed(
    tmp_path_factory: pytest.TempPathFactory,
    environment: Mapping[str, str],
    pytestconfig: pytest.Config,
) -> Path:
    """The lock of the application as it is."""
    copy = _copied(tmp_path_factory.mktemp("healthy"), pytestconfig.rootpath, environment)
    ended = copy.run("create")
    assert ended.exit_code == 0, ended.lines
    return copy.lock


@pytest.fixture
def copy(
    tmp_path: Path,
    committed: Path,
    environment: Mapping[str, str],
    pytestconfig: pytest.Config,
) -> Copy:
    """The application with its lock."""
    shutil.copy(committed, tmp_path)
    return _copied(tmp_path, pytestconfig.rootpath, environment)


def test_an_added_query_is_named_with_its_endpoint(copy: Copy) -> None:
    added = "await self._session.scalars(select(Tag.id))\n        with_author_and_tags = ("
    copy.edit(REPOSITORY, "with_author_and_tags = (", added)

    ended = copy.run("check")

    told = ended.section("query lock: GET /posts")
    assert told[:3] == [
        f"GET /posts on postgresql (list_posts, {copy.place(ROUTER, 'def list_posts')})",
        "3 statements, 3 round trips; the lock has 2 and 2",
        "+1 SELECT tags.id FROM tags (was 0)",
    ]
    assert told[3].endswith("test_shop.py::test_reading[/posts]")
    assert told[4].endswith("pytest --query-lock=update")
    assert ended.lines[-1].startswith("1 failed, 3 passed in ")
    assert ended.exit_code == 1


def test_an_n_plus_one_for_an_eager_load_is_named_with_line_and_edit(copy: Copy) -> None:
    copy.edit(REPOSITORY, LOADED, "joinedload(Post.author)).order_by")
    copy.edit(REPOSITORY, "        return posts.all()\n", ONE_BY_ONE.lstrip("\n"))
    place = copy.place(REPOSITORY, "one_page(with_author_and_tags")

    ended = copy.run("check")

    told = ended.section("query lock: GET /posts")
    assert told[1:3] == [
        "11 statements, 11 round trips; the lock has 2 and 2",
        "FAIL n-plus-one: Post.tags was loaded 10 times, once for each of 10 parents",
    ]
    assert told[3].startswith(f"edit {place}")
    assert "change add .options(selectinload(Post.tags)) to the query that loads the" in told
    assert 'identity = "n-plus-one Post.tags @ GET /posts"' in told
    assert [line.partition(" ")[0] for line in told if " SELECT " in line] == ["+10", "-1"]
    assert len(told) < 15
    assert ended.exit_code == 1


def test_a_second_eager_load_is_one_statement_more(copy: Copy) -> None:
    copy.edit(REPOSITORY, LOADED, LOADED_TWICE)

    ended = copy.run("check")

    told = ended.section("query lock: GET /posts")
    [statement] = [line for line in told if " SELECT " in line]
    assert told[1] == "3 statements, 3 round trips; the lock has 2 and 2"
    assert statement.startswith("+1 SELECT … FROM comments WHERE comments.post_id IN (?)")
    assert statement.endswith(" (was 0)")
    assert ended.exit_code == 1


@pytest.mark.parametrize(
    ("mode", "summary"),
    [("check", "2 failed, 4 passed in "), ("create", "1 failed, 4 passed in ")],
)
def test_a_new_endpoint_does_not_pass_with_an_n_plus_one(
    copy: Copy, mode: str, summary: str
) -> None:
    router = 'router = APIRouter(tags=["posts"])\n'
    copy.edit(ROUTER, router, router + NEW_ENDPOINT)
    copy.edit("test_shop.py", '"/posts/1"', '"/posts/1", "/authors"')
    place = copy.place("target_app/repository.py", "rows = await self._session.scalars(one_page(")

    ended = copy.run(mode)

    told = ended.section("query lock: GET /authors")
    missing = ended.section("query lock: new endpoints")
    assert told[0].endswith("n-plus-one Post.author @ GET /authors")
    assert [line for line in told if place in line]
    assert any("add .options(joinedload(Post.author)) to the query" in line for line in told)
    assert (mode == "check") == any("pytest --query-lock=create" in line for line in missing)
    assert ended.lines[-1].startswith(summary)
    assert ended.exit_code == 1


def test_a_repaired_endpoint_passes_with_a_hint(copy: Copy) -> None:
    copy.edit(REPOSITORY, LOADED, LOADED_TWICE)
    assert copy.run("update").exit_code == 0
    before = copy.lock.read_bytes()
    copy.edit(REPOSITORY, LOADED_TWICE, LOADED)

    checked = copy.run("check")
    unchanged = copy.lock.read_bytes()
    tightened = copy.run("tighten")

    assert checked.exit_code == tightened.exit_code == 0
    assert any(
        "1 endpoint runs " in line and "--query-lock=tighten" in line for line in checked.lines
    )
    assert before == unchanged
    assert read(copy.lock).dialects["postgresql"]["GET /posts"].statements == 2
