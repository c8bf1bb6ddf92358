"""A project of a few lines: an engine from a URL, a table, and routes that behave or hang."""

from __future__ import annotations

from pathlib import Path

import httpx

from harness.rig.protocol import Serving

__all__ = ["posted", "write_project"]

_CONFIGURATION = """
[tool.harness]
app = "{name}:app"
metadata = "{name}:metadata"
postgres = "{postgres}"
env = {{ SHOP_URL = "{{async_url}}" }}
"""
_APPLICATION = """
import os
import time

from fastapi import FastAPI
from sqlalchemy import Column, Integer, MetaData, Table, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

print("what an application prints while it is imported")
engine = create_async_engine(os.environ["SHOP_URL"], pool_size=3, max_overflow=1)
metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True))
app = FastAPI()


@app.post("/notes")
async def write():
    async with engine.begin() as connection:
        await connection.execute(insert(notes))
    return os.environ.get("SHOP_NAME", "")


@app.get("/sleep")
async def sleep(seconds: float):
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    return os.getpid()


@app.get("/block")
async def block(seconds: float):
    time.sleep(seconds)


@app.get("/die")
async def die():
    os._exit(7)
"""


def write_project(folder: Path, *, name: str = "rigged_shop", postgres: str = "embedded") -> Path:
    """Write it into a folder, and return that."""
    (folder / "pyproject.toml").write_text(
        _CONFIGURATION.format(name=name, postgres=postgres), encoding="utf-8"
    )
    (folder / f"{name}.py").write_text(_APPLICATION, encoding="utf-8")
    return folder


def posted(serving: Serving) -> httpx.Response:
    """What it answers when a note is written."""
    return httpx.post(f"{serving.url}/notes", timeout=30)
