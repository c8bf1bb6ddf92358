"""The kinds of request that `probe` measures: what is asked for, of whom, on which rows.

`browse` is the reference application as its users have it: the steady mix of the load tests, on the
rows that every load test starts from. `row` and `page` are requests of a small application: as
little as an endpoint can do, and two statements with a response model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from benchmarks.databases import new_database
from benchmarks.project.models import Author, Base, Book
from benchmarks.pytest_process import Failed
from harness.config import load_project
from harness.database.schema import create_tables, write_rows
from harness.database.server import PostgresServer
from harness.stage import staged

__all__ = ["KINDS", "Kind", "Place"]

_ROOT = Path(__file__).parents[1]
_ROWS = 100
_STARTS = _ROWS // 2
"""So many begin at a row that has a whole page behind it."""


@dataclass(frozen=True, slots=True)
class Place:
    """An application, as the process that serves it finds it."""

    target: str
    """``"package.module:application"``, or a factory."""
    environment: Mapping[str, str]
    """What it reads its database from."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request."""

    name: str
    paths: Callable[[int], list[str]]
    """Of a turn of about so many requests; the same in every turn."""
    place: Callable[[PostgresServer], AbstractContextManager[Place]]
    """The application with a database of its own, for a block."""


@contextmanager
def _reference_application(server: PostgresServer) -> Iterator[Place]:
    project = load_project(_ROOT)
    with staged(project, server) as stage:
        stage.prepare()
        yield Place(project.required_app(), stage.environment())


def _steady_mix(requests: int) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.probe_mix", str(requests)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"the requests of loadtests/browse.py could not be told:\n{done.stderr}")
    paths: list[str] = json.loads(done.stdout)
    return paths


@contextmanager
def _small_application(server: PostgresServer) -> Iterator[Place]:
    with new_database(server) as name:
        url = server.address.url(name)
        create_tables(url, Base.metadata)
        write_rows(url, _fill)
        shown = url.render_as_string(hide_password=False)
        yield Place("benchmarks.probe_application:create_app", {"BENCHMARK_URL": shown})


def _fill(session: Session) -> None:
    authors = [Author(name=f"Author {number}") for number in range(_ROWS)]
    session.add_all(authors)
    session.flush()
    session.add_all(Book(title="A book", author_id=author.id) for author in authors * 2)


def _rows(requests: int) -> list[str]:
    return [f"/authors/{1 + number % _STARTS}" for number in range(requests)]


def _pages(requests: int) -> list[str]:
    return [f"/pages/{1 + number % _STARTS}" for number in range(requests)]


KINDS = (
    Kind("browse", _steady_mix, _reference_application),
    Kind("row", _rows, _small_application),
    Kind("page", _pages, _small_application),
)
