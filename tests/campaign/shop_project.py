"""A project of a few lines whose application keeps its connections, or its writes, badly.

By its variables: `SHOP_LATE` answers before it writes, `SHOP_PING` looks at connections first, and
`SHOP_FAILS` keeps its first failure for ever.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["PLAN", "write_shop"]

PLAN = (("GET /notes", "/notes"), ("GET /broken", "/broken"))
_CONFIGURATION = """
[tool.harness]
app = "troubled_shop:app"
metadata = "troubled_shop:metadata"
postgres = "POSTGRES"
env = { SHOP_URL = "{async_url}" }

[tool.harness.write]
path = "/notes"
body = '{"text": "{key}"}'
select = "SELECT text FROM notes WHERE starts_with(text, $1)"
"""
_APPLICATION = """
import asyncio
import os

from fastapi import Body, FastAPI, HTTPException
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    os.environ["SHOP_URL"], pool_size=4, pool_pre_ping="SHOP_PING" in os.environ
)
metadata = MetaData()
notes = Table(
    "notes", metadata, Column("id", Integer, primary_key=True), Column("text", String(80))
)
app = FastAPI()
app.state.tasks = set()
app.state.failure = None


async def write(text):
    async with engine.begin() as connection:
        await connection.execute(insert(notes), {"text": text})


async def write_later(text):
    await asyncio.sleep(0.1)
    try:
        await write(text)
    except Exception:
        pass


@app.post("/notes", status_code=201)
async def add(text: str = Body(embed=True)):
    if "SHOP_LATE" in os.environ:
        task = asyncio.create_task(write_later(text))
        app.state.tasks.add(task)
        task.add_done_callback(app.state.tasks.discard)
    else:
        await write(text)


@app.get("/notes")
async def count():
    if app.state.failure is not None:
        raise HTTPException(500)
    try:
        async with engine.connect() as connection:
            return await connection.scalar(select(func.count()).select_from(notes))
    except Exception as error:
        if "SHOP_FAILS" in os.environ:
            app.state.failure = error
        raise HTTPException(500) from error


@app.get("/broken")
async def broken():
    raise HTTPException(500)
"""


def write_shop(folder: Path, *, postgres: str = "embedded") -> Path:
    """Write it into a folder, and return that."""
    (folder / "pyproject.toml").write_text(
        _CONFIGURATION.replace("POSTGRES", postgres), encoding="utf-8"
    )
    (folder / "troubled_shop.py").write_text(_APPLICATION, encoding="utf-8")
    return folder
