"""SQLModel's classes are SQLAlchemy's: causes and relationships are told as of any other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, Session, SQLModel, select

from harness.capture import Cause, RequestTracker, SourceMap, recording
from harness.checks.verdict import findings_of


class Model(SQLModel, registry=registry()):
    """A registry of its own: the class is this test's."""


class Team(Model, table=True):
    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(Model, table=True):
    id: int | None = Field(default=None, primary_key=True)
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="heroes")


@pytest.fixture
def teams(tmp_path: Path) -> Engine:
    """Two teams with a hero each."""
    engine = create_engine(f"sqlite:///{tmp_path}/teams.db")
    Model.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Team(heroes=[Hero()]) for _ in range(2))
        session.commit()
    engine.dispose()
    return engine


def test_lazy_loads_of_sqlmodel_classes_are_named(teams: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(teams) as session:
        for team in session.exec(select(Team)):
            assert team.heroes
    teams.dispose()

    query, *loads = recorder.snapshot().round_trips
    assert (query.cause, query.entities) == (Cause.QUERY, ("Team",))
    assert {(load.cause, load.relationship) for load in loads} == {(Cause.LAZY, "Team.heroes")}
    assert {load.parent_statements for load in loads} == {(query.statement,)}


class HeroOut(SQLModel):
    id: int


class TeamOut(SQLModel):
    id: int
    heroes: list[HeroOut]


async def test_lazy_loads_while_sqlmodel_classes_are_serialised_have_route_and_load_site(
    teams: Engine, source: SourceMap
) -> None:
    app, tracker = FastAPI(), RequestTracker()

    def session() -> Iterator[Session]:
        with Session(teams) as opened:
            yield opened

    @app.get("/teams", response_model=list[TeamOut])
    def listed(db: Annotated[Session, Depends(session)]) -> Sequence[Team]:
        return db.exec(select(Team)).all()

    transport = httpx.ASGITransport(tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder:
            answer = await client.get("/teams")
    teams.dispose()

    (finding,) = findings_of(recorder.snapshot())
    assert answer.json() == [{"id": n, "heroes": [{"id": n}]} for n in (1, 2)]
    assert finding.identity == "n-plus-one Team.heroes @ GET /teams"
    assert finding.title.endswith("while the response was serialised")
    assert finding.site is not None
    assert "select(Team)" in finding.site.code
