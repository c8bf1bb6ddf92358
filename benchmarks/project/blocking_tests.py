"""The trivial test, for functions: insert, commit, count. One row, whatever ran before."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.project.models import Author


def test_insert_commit_count(sync_session: Session, number: int) -> None:
    """The same name in every test of a pair: rows that stay would break it."""
    sync_session.add(Author(name=f"author {number % 2}"))
    sync_session.commit()

    assert sync_session.scalar(select(func.count()).select_from(Author)) == 1
