"""What blocks the loop of an application that is served by a process of its own.

A module of its own because the process is the point: how its main thread begins depends on who
starts it, and pytest starts like a script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.asgi.server import bound_socket
from harness.middleware import STATUS_PATH

TOKEN = "of a test"
PATIENCE_SECONDS = 30.0
SHOP = """
import time
from fastapi import FastAPI
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import TimeoutError
from sqlalchemy.pool import QueuePool
from harness.middleware import Probe

engine = create_engine(
    "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=1.0
)
app = FastAPI()
app.add_middleware(Probe, token="of a test")

@event.listens_for(engine, "connect")
def add_pause(connection, _record):
    connection.create_function("pause", 0, lambda: time.sleep(1.0))

@app.get("/sync-sql")
async def sync_sql():
    with engine.connect() as connection:
        connection.execute(text("SELECT pause()"))

@app.get("/pool-wait")
async def pool_wait():
    with engine.connect():
        try:
            engine.connect()
        except TimeoutError:
            pass
"""


@pytest.mark.parametrize("cause", ["sync-sql", "pool-wait"])
def test_what_blocks_a_loop_that_python_m_began_is_told(tmp_path: Path, cause: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    with bound_socket("127.0.0.1", 0) as listener:
        listener.listen()  # clients wait from here on, until it has started
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "shop:app", "--fd", str(listener.fileno())],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        stalls = stalls_of(url, f"/{cause}")
    finally:
        process.kill()
        process.wait()

    told = max((each for each in stalls if each["route"]), key=lambda stall: stall["seconds"])
    assert told["cause"] == cause
    assert told["site"]["path"] == "shop.py"


def stalls_of(url: str, path: str) -> list[dict[str, Any]]:
    """What the process tells once a request has blocked it."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, timeout=30) as client:
        client.get(path).raise_for_status()
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            loop = client.get(STATUS_PATH, headers=headers).json()["loop"]
            stalls: list[dict[str, Any]] = loop["stalls"]
            if any(stall["route"] for stall in stalls):
                return stalls
    pytest.fail("no stall was told")
