"""``harness lock merge`` as git's merge driver, and ``lock check`` as pre-commit calls it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.file import read, to_text, write

_NAME = "query-lock.json"
DRIVER = f"{shlex.quote(sys.executable)} -m harness lock merge --base %O %A %B -o %A"


class Repository:
    """A repository with a query lock in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / _NAME
        self._folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        (folder / ".gitattributes").write_text(f"{_NAME} merge=query-lock\n")
        self.git("config", "merge.query-lock.driver", DRIVER)
        self.commit()

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git without the settings of whoever runs the tests."""
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments],  # noqa: S607 - as in a shell
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def commit(self, **endpoints: int) -> None:
        """Commit a lock of these endpoints' statements."""
        if endpoints:
            write(self.file, lock_of(**endpoints))
        self.git("add", "--all")
        assert self.git("commit", "--quiet", "--message=x").returncode == 0

    def branch(self, name: str, **endpoints: int) -> None:
        """Commit a lock on a branch, then go back to main."""
        self.git("checkout", "--quiet", "-b", name)
        self.commit(**endpoints)
        self.git("checkout", "--quiet", "main")


def lock_of(**endpoints: int) -> QueryLock:
    return QueryLock(
        {
            "postgresql": {
                f"GET /{name}": EndpointCounts(
                    most, most, {"f" * 12: ShapeCount("SELECT 1", most, grows=False)}
                )
                for name, most in endpoints.items()
            }
        }
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository that merges its lock with the driver."""
    return Repository(tmp_path)


def test_git_merges_two_branches_that_changed_neighbouring_lines(repository: Repository) -> None:
    repository.commit(tags=9, users=14)
    repository.branch("other", tags=9, users=14, zebras=3)
    repository.commit(apples=1, tags=2, users=15)

    ended = repository.git("merge", "--no-edit", "other")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert read(repository.file) == lock_of(apples=1, tags=2, users=15, zebras=3)
    assert repository.git("status", "--porcelain").stdout == ""


def test_git_merges_two_branches_that_both_added_the_lock(repository: Repository) -> None:
    repository.branch("other", users=4, tags=1)
    repository.commit(users=2, posts=3)

    ended = repository.git("merge", "--no-edit", "other")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert read(repository.file) == lock_of(users=4, posts=3, tags=1)


def test_a_lock_that_cannot_be_read_stays_a_conflict(repository: Repository) -> None:
    repository.commit(users=2)
    repository.branch("other", users=3)
    repository.file.write_text("{}")
    repository.commit()

    ended = repository.git("merge", "--no-edit", "other")

    assert ended.returncode == 1
    assert f"CONFLICT (content): Merge conflict in {_NAME}" in ended.stdout
    assert "the query lock cannot be read" in ended.stderr


@pytest.fixture(scope="module")
def hook(pytestconfig: pytest.Config) -> dict[str, object]:
    """The only hook that this repository offers."""
    text = (pytestconfig.rootpath / ".pre-commit-hooks.yaml").read_text("utf-8")
    [only] = yaml.safe_load(text)
    assert isinstance(only, dict)
    return only


def _called(hook: dict[str, object], file: Path) -> subprocess.CompletedProcess[str]:
    """As pre-commit does: the entry split like a shell's line, then the changed files."""
    program, *arguments = shlex.split(str(hook["entry"]))
    assert program == "harness"
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_THE_REST, *arguments, file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )


# What the hook's environment lacks: it has the wheel, and what the hook names besides.
_WITHOUT_THE_REST = """
import sys
for absent in ("rich", "jinja2", "matplotlib", "pytest", "fastapi", "pydantic", "asyncpg"):
    sys.modules[absent] = None
from harness.__main__ import main
sys.exit(main())
"""


def test_the_hook_looks_at_locks_and_needs_click_alone(hook: dict[str, object]) -> None:
    assert hook["files"] == r"(^|/)query-lock\.json$"
    assert hook["language"] == "python"
    assert hook["additional_dependencies"] == ["click>=8.1"]


def test_the_hook_mends_the_form_and_lets_the_rest_pass(
    hook: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / _NAME
    file.write_text(to_text(lock_of(users=2)).replace("  ", "\t"))

    mended = _called(hook, file)
    passed = _called(hook, file)

    assert (mended.stdout, mended.returncode) == (f"{_NAME}: written anew\n", 0), mended.stderr
    assert file.read_text() == to_text(lock_of(users=2))
    assert (passed.stdout, passed.stderr, passed.returncode) == ("", "", 0)


def test_the_hook_stops_a_commit_of_conflict_markers(
    hook: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / _NAME
    text = to_text(lock_of(users=2))
    file.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")

    ended = _called(hook, file)

    assert "conflict markers" in ended.stderr
    assert ended.returncode == 3


def test_the_lock_of_this_repository_is_as_pytest_writes_it(pytestconfig: pytest.Config) -> None:
    file = pytestconfig.rootpath / _NAME

    found = read(file)

    assert list(found.dialects) == ["postgresql"]
    assert file.read_bytes() == to_text(found).encode()
