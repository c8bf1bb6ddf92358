"""Rows are added until a stream is too long for the buffers before its reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.campaign.conduct import campaign_ground
from harness.campaign.ground import Ground
from harness.campaign.probes.streaming import streaming
from harness.campaign.probes.streaming_rows import Body, are_enough, body_of, serve_with_rows
from harness.campaign.scenario import Settings, packaged
from harness.config import load_project
from harness.findings import Verdict
from harness.pool_choice import PoolChoice
from tests.rig.conftest import own_server

POOL = PoolChoice(pool_size=2, max_overflow=0, pool_timeout=1.0)
_CONFIGURATION = """
[tool.harness]
app = "streaming_shop:app"
metadata = "streaming_shop:metadata"
postgres = "POSTGRES"
env = { SHOP_URL = "{async_url}" }
"""
_APPLICATION = """
import asyncio
import os

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["SHOP_URL"])
metadata = MetaData()
notes = Table(
    "notes", metadata, Column("id", Integer, primary_key=True), Column("text", String(80))
)
app = FastAPI()


async def rows():
    async with engine.connect() as connection:
        return (await connection.scalars(select(notes.c.text))).all()


async def lines(texts):
    yield "".join(f"{text:<400}" for text in texts)


@app.get("/notes.csv")
async def export():
    return StreamingResponse(lines(await rows()))


@app.get("/few.csv")
async def export_of_few():
    texts = await rows()
    assert len(texts) < 100
    return StreamingResponse(lines(texts))


async def ticks():
    for _ in range(30):
        yield "tick"
        await asyncio.sleep(0.1)


@app.get("/ticks")
async def clock():
    return StreamingResponse(ticks())
"""


def write_shop(folder: Path, *, postgres: str) -> Path:
    (folder / "streaming_shop.py").write_text(_APPLICATION, "utf-8")
    (folder / "pyproject.toml").write_text(_CONFIGURATION.replace("POSTGRES", postgres), "utf-8")
    return folder


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    project = load_project(write_shop(tmp_path_factory.mktemp("shop"), postgres="embedded"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own_server().items():
            patch.setenv(name, value)
        with campaign_ground(project, Settings(), step=print, detail=print) as ground:
            yield ground


def served(ground: Ground, path: str) -> tuple[str, int]:
    """Where the application answers that is served for one stream, and what rows it got."""
    serving, rows = serve_with_rows(ground, POOL, ((f"GET {path}", path),))
    return serving.url, rows


def test_a_stream_of_few_rows_gets_more_until_it_is_long(ground: Ground) -> None:
    url, rows = served(ground, "/notes.csv")

    assert rows >= 500
    assert body_of(url, "/notes.csv") is Body.LONG


def test_a_stream_that_takes_its_time_needs_no_rows(ground: Ground) -> None:
    url, rows = served(ground, "/ticks")

    assert rows == 0
    assert body_of(url, "/ticks") is Body.SLOW
    assert body_of(url, "/notes.csv") is Body.SHORT


def test_streams_that_fail_with_more_rows_are_served_without(ground: Ground) -> None:
    url, rows = served(ground, "/few.csv")

    assert rows == 0
    assert body_of(url, "/few.csv") is Body.SHORT


def test_what_is_no_answer_is_no_stream(ground: Ground) -> None:
    url, _ = served(ground, "/nowhere")

    assert body_of(url, "/nowhere") is Body.FAILED
    ground.stop_serving()
    assert body_of(url, "/notes.csv") is Body.FAILED


SHORT, LONG = Body.SHORT, Body.LONG


@pytest.mark.parametrize(
    ("bodies", "seconds", "is_enough"),
    [
        ([LONG, LONG], 0.0, True),
        ([LONG, SHORT], 1.0, False),
        ([LONG, SHORT], 2.0, True),
        ([SHORT, SHORT], 2.0, False),
        ([SHORT, SHORT], 13.0, True),
        ([SHORT, Body.SLOW], 2.0, False),
        ([LONG, Body.SLOW], 0.0, True),
        ([Body.FAILED], 0.0, True),
    ],
)
def test_the_short_form_waits_longer_where_no_stream_is_long(
    bodies: list[Body], seconds: float, *, is_enough: bool
) -> None:
    assert are_enough(bodies, seconds, is_short=True) is is_enough


def test_streams_that_stay_short_are_skipped_with_the_rows_that_they_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES", raising=False)
    project = load_project(write_shop(tmp_path, postgres="sqlite"))
    settings = Settings(users=1, seconds=1.0, plan=(("GET /notes.csv", "/notes.csv"),))

    with campaign_ground(project, settings, step=print, detail=print) as ground:
        (verdict,) = streaming(ground, packaged("streaming")).verdicts

    assert verdict.verdict is Verdict.SKIPPED
    assert verdict.summary.endswith(" ms, no rows added to every table")


def test_where_no_copy_can_be_made_the_application_is_served_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES", raising=False)
    project = load_project(write_shop(tmp_path, postgres="sqlite"))

    with campaign_ground(project, Settings(), step=print, detail=print) as ground:
        url, rows = served(ground, "/notes.csv")
        body = body_of(url, "/notes.csv")

    assert (rows, body) == (0, Body.SHORT)
