"""The application of `def` tests whose driver blocks: psycopg."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks.project.models import Author

__all__ = ["app", "get_session"]

engine = create_engine(os.environ["BENCHMARK_APP_URL"])
app = FastAPI()


def get_session() -> Iterator[Session]:
    """A session for one request."""
    with Session(engine) as session:
        yield session


@app.post("/authors", status_code=201)
def add_author(session: Annotated[Session, Depends(get_session)], name: str) -> None:
    """Commit, as applications do."""
    session.add(Author(name=name))
    session.commit()
