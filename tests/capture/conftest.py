"""A small blog in a SQLite file, and what tells the user's code from everybody else's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from harness.capture import SourceMap
from target_app.models import Post, User
from target_app.models.declarative import Base


@pytest.fixture
def source(pytestconfig: pytest.Config) -> SourceMap:
    """This repository is the user's project: the tests are its code."""
    return SourceMap(pytestconfig.rootpath)


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite file with the tables of the reference application, 3 users and a post by each."""
    engine = create_engine(f"sqlite:///{tmp_path}/blog.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        users = [
            User(email=f"{n}@example.org", name=f"User {n}", password_hash="-") for n in range(3)
        ]
        session.add_all(Post(author=user, title="T", body="B") for user in users)
        session.commit()
    engine.dispose()
    yield engine
    engine.dispose()
