"""The programs in `benchmarks/` run to their end, read well, and leave nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.commandline import running_server
from harness.database.schema import run_apart
from harness.database.server import PostgresServer
from harness.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ["capture.py", "isolation.py", "startup.py", "peers_n_plus_one.py"]
COLUMNS = 80
PATIENCE_SECONDS = 300
PARTS = [
    pytest.param(["--only", "rollback", "--only", "clone"], {"rollback", "clone"}, id="inside"),
    pytest.param(["--only", "tests"], {"async_tests", "sync_tests"}, id="whole-runs"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Of these tests alone: what is left there, nobody else has made."""
    with running_server("auto") as found:
        yield found


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "benchmarks" / program), *arguments]


def quick(program: str, file: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What a quick run prints, and what it writes."""
    done = subprocess.run(
        command(program, "--quick", f"--json={file}", *arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    return done.stdout, json.loads(file.read_text(encoding="utf-8"))


def server_url(server: PostgresServer) -> str:
    return server.address.url("postgres").render_as_string(hide_password=False)


def databases_left(server: PostgresServer) -> list[str]:
    found: list[str] = []

    async def look() -> None:
        engine = create_async_engine(server.address.url("postgres"))
        async with engine.connect() as connection:
            names = await connection.scalars(
                text("SELECT datname FROM pg_database WHERE starts_with(datname, 'benchmark_')")
            )
            found.extend(names)
        await engine.dispose()

    run_apart(look())
    return found


@pytest.mark.parametrize(("only", "parts"), PARTS)
def test_isolation_measures_every_way(
    only: list[str], parts: set[str], server: PostgresServer, tmp_path: Path
) -> None:
    where = f"--postgres={server_url(server)}"

    printed, written = quick("isolation.py", tmp_path / "figures", where, "--no-peers", *only)

    assert written.keys() == {"about", *parts}
    assert max(map(len, printed.splitlines())) <= COLUMNS
    assert databases_left(server) == []


def test_startup_measures_every_start(server: PostgresServer, tmp_path: Path) -> None:
    where = f"--postgres={server_url(server)}"

    printed, written = quick("startup.py", tmp_path / "figures", where)

    assert len(written["startup"]) == 6
    assert max(map(len, printed.splitlines())) <= COLUMNS
    assert databases_left(server) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_has_an_example(program: str) -> None:
    done = subprocess.run(
        command(program, "--help"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )

    assert f"example:\n  python benchmarks/{program} " in done.stdout


def test_ctrl_c_leaves_no_database_behind(
    server: PostgresServer, unmeasured_environment: Mapping[str, str]
) -> None:
    where = f"--postgres={server_url(server)}"
    with subprocess.Popen(
        command("isolation.py", "--only=tests", "--no-peers", where),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(unmeasured_environment),
    ) as process:
        while not databases_left(server):  # until the first candidate runs
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == ExitCode.INTERRUPTED
    assert errors.endswith("\ninterrupted; everything that was started is stopped\n")
    assert "Traceback" not in errors
    assert databases_left(server) == []
