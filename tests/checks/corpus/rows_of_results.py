"""Handlers that are judged by how many rows come back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from tests.checks.corpus.labels import clean, finds
from tests.checks.corpus.models import Genre
from tests.checks.corpus.sessions import Sync


@finds("unbounded-result")
def every_row_of_a_table(session: Sync) -> Any:
    session.execute(insert(Genre), [{"name": f"Many {n}"} for n in range(2000)])
    names = session.scalars(select(Genre.name)).all()
    session.rollback()
    return len(names)


@clean
def many_rows_within_a_limit(session: Sync) -> Any:
    session.execute(insert(Genre), [{"name": f"Many {n}"} for n in range(2000)])
    names = session.scalars(select(Genre.name).limit(2000)).all()
    session.rollback()
    return len(names)


@clean
def many_rows_in_parts(session: Sync) -> Any:
    session.execute(insert(Genre), [{"name": f"Many {n}"} for n in range(2000)])
    query = select(Genre.name).execution_options(yield_per=200)
    count = sum(1 for _ in session.scalars(query))
    session.rollback()
    return count
