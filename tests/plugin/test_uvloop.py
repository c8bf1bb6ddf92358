"""Isolation on uvloop's event loop, as pytest-asyncio and anyio give it to tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.database.server import PostgresServer
from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project
from tests.plugin.test_loops_of_plugins import ISOLATED

pytest.importorskip("uvloop", reason="uvloop is not made for this platform, or not installed")

FACTORY = """
import pytest, uvloop

@pytest.hookimpl
def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}
"""
ON_UVLOOP = """
import asyncio

async def test_the_loop(client):
    assert (await client.get("/authors")).json() == 5
    print("loop:", type(asyncio.get_running_loop()).__module__)
"""
HAZARDS = ("transactions", "tasks", "requests", "cancellation")


@pytest.mark.parametrize("loops", ["session", "function"])
@pytest.mark.parametrize("lifespan", ["session", "test"])
def test_on_loops_of_pytest_asyncio(project: Project, loops: str, lifespan: str) -> None:
    options = SESSION_LOOPS.replace('"session"', f'"{loops}"')
    project.configure(table=f'{TABLE}lifespan = "{lifespan}"\n', pytest_options=options)
    project.write("conftest.py", FACTORY)

    result = project.run(ISOLATED + ON_UVLOOP, "-rP")

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["loop: uvloop*"])


def test_on_the_loop_of_anyio(project: Project) -> None:
    project.configure(pytest_options='[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n')
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def anyio_backend():
            return "asyncio", {"use_uvloop": True}
        """,
    )
    tests = (ISOLATED + ON_UVLOOP).replace("async def", "@pytest.mark.anyio\nasync def")

    result = project.run(tests, "-p", "no:asyncio", "-rP")

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["loop: uvloop*"])


def test_hazards_are_met_alike(
    tmp_path: Path, harness_postgres: PostgresServer, pytestconfig: pytest.Config
) -> None:
    url = harness_postgres.address.url("postgres").set(drivername="postgresql")
    (tmp_path / "on_uvloop.py").write_text(FACTORY)
    folder = pytestconfig.rootpath / "tests/database/hazards"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "HARNESS_POSTGRES": url.render_as_string(hide_password=False),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "on_uvloop", "-p", "no:cacheprovider"]
    files = [str(folder / f"test_{name}.py") for name in HAZARDS]

    done = subprocess.run(
        [*command, *files],
        cwd=pytestconfig.rootpath,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
