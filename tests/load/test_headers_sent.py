"""Headers of the user's own and certificates of nobody's: real Locusts, and no secret told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import psutil
import pytest

from tests.load.conftest import Generator
from tests.load.guarded import SECRET, SELF_SIGNED, TOKEN, Guarded, guarded
from tests.load.web_ui import web_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

_HEADER = ("--header", f"Authorization: {SECRET}")
_SAID = {"HARNESS_HEADERS": f"Authorization: {SECRET}"}
_PATIENCE_SECONDS = 60.0
_CONFIGURATION = """
[tool.harness]
app = "guarded_shop:app"
postgres = "embedded"
env = { SHOP_URL = "{async_url}" }
"""
_SHOP = """
import os

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["SHOP_URL"])
app = FastAPI()


@app.middleware("http")
async def guard(request: Request, call_next):
    if request.headers.get("authorization") != "SECRET":
        with open("refused.txt", "a") as file:
            print(request.url.path, file=file)
        return PlainTextResponse("", status_code=401)
    return await call_next(request)


@app.get("/cheap")
async def cheap() -> int:
    async with engine.connect() as connection:
        return await connection.scalar(text("SELECT 1"))


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["rows"] * 100_000))
"""
_WRITER = """
from locust import constant, task
from harness.load.writers import HarnessWriter

class Writer(HarnessWriter):
    default_headers = {"authorization": "weaker"}
    wait_time = constant(0.02)

    @task
    def page(self) -> None:
        self.get("/pages")

    @task
    def row(self) -> None:
        self.write("/rows", '{"title": "{key}"}')
"""


@pytest.fixture
def application() -> Iterator[Guarded]:
    """It answers nobody without an authorization."""
    with guarded() as running:
        yield running


def aimed(generator: Generator, application: Guarded, **environment: str) -> Generator:
    return replace(
        generator, url=application.url, environment={**generator.environment, **environment}
    )


def arguments_of(pid: int) -> str:
    """What everybody on the machine can read of a process and those that it has started."""
    process = psutil.Process(pid)
    return "\n".join(
        " ".join(each.cmdline()) for each in (process, *process.children(recursive=True))
    )


def run_load(
    folder: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """``harness load`` in a folder without configuration."""
    return subprocess.run(
        [sys.executable, "-m", "harness", "load", *arguments],
        cwd=folder,
        env={"HARNESS_APP": "", **environment, "HARNESS_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_guarded_application_with_a_self_signed_certificate_is_loaded_and_read(
    tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    with guarded(certificate=SELF_SIGNED) as application:
        where = ("browse", "--host", application.url, "--users", "2", "--time", "1s")
        ended = run_load(tmp_path, unmeasured_environment, *where, *_HEADER, "--json")

    told = json.loads(ended.stdout)
    verdicts = {row["probe"]: row["verdict"] for row in told["probes"]}
    assert verdicts["load"] == "pass", ended.stdout
    assert told["phases"][0]["windows"][0]["processes"] == 1
    assert {path for path, _ in application.asked} == {"/openapi.json", "/pages"}
    assert application.refused == set()
    kept = [file.read_text("utf-8") for file in (tmp_path / "harness-report").iterdir()]
    assert not any("s3cret" in text for text in (ended.stdout, ended.stderr, *kept))


@pytest.mark.group("served")
def test_an_application_that_is_served_here_gets_it_from_everybody(
    tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(_CONFIGURATION, "utf-8")
    (tmp_path / "guarded_shop.py").write_text(_SHOP.replace("SECRET", SECRET), "utf-8")
    environment = {**unmeasured_environment, **_SAID, "HARNESS_APP": "guarded_shop:app"}

    ended = run_load(tmp_path, environment, "streaming", "--short", "--json")

    client = json.loads(ended.stdout)["phases"][0]["windows"][0]["client"]
    assert client["ok"] > 0
    assert client["refused"] == 0
    assert not (tmp_path / "refused.txt").exists()


def test_without_its_header_the_command_says_how_to_give_one(
    tmp_path: Path, application: Guarded, unmeasured_environment: Mapping[str, str]
) -> None:
    ended = run_load(tmp_path, unmeasured_environment, "browse", "--host", application.url)

    assert "HTTP Error 401" in ended.stderr
    assert "give --header 'Authorization: Bearer …'" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (("Authorization s3cret",), "there is no colon in it"),
        (("Authorization:", "Bearer", "s3cret"), "is it quoted"),
    ],
    ids=["no colon", "not quoted"],
)
def test_a_header_that_is_none_is_misuse_that_repeats_no_secret(
    header: tuple[str, ...],
    why: str,
    tmp_path: Path,
    application: Guarded,
    unmeasured_environment: Mapping[str, str],
) -> None:
    where = ("browse", "--host", application.url, "--header", *header)

    ended = run_load(tmp_path, unmeasured_environment, *where)

    assert why in ended.stderr
    assert "s3cret" not in ended.stderr
    assert ended.returncode == 2
    assert application.asked == []


def test_a_header_behind_the_two_dashes_is_misuse(
    tmp_path: Path, application: Guarded, unmeasured_environment: Mapping[str, str]
) -> None:
    where = ("browse", "--host", application.url, "--", *_HEADER)

    ended = run_load(tmp_path, unmeasured_environment, *where)

    assert "give --header before --" in ended.stderr
    assert ended.returncode == 2


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "workers"])
def test_users_and_writers_of_ones_own_send_it(
    processes: tuple[str, ...], generator: Generator, application: Guarded
) -> None:
    generator.scenario.write_text(_WRITER, "utf-8")

    code, said = aimed(generator, application).run("-t", "2s", *processes, *_HEADER)

    assert {path for path, _ in application.asked} == {"/pages", "/rows"}
    assert application.refused == set()
    assert "s3cret" not in said + generator.result_file.read_text("utf-8")
    assert code != 2, said


def test_packaged_traffic_reads_its_routes_with_it(
    generator: Generator, application: Guarded
) -> None:
    browse = Path(str(files("harness.load.scenarios"))) / "browse.py"
    packaged = replace(aimed(generator, application), scenario=browse)

    code, said = packaged.run("-t", "1s", *_HEADER)

    assert {path for path, _ in application.asked} == {"/openapi.json", "/pages"}
    assert application.refused == set()
    assert code == 0, said


@pytest.mark.parametrize(
    ("user", "module"), [("LeavingUser", "leaving"), ("SlowReader", "slow_reader")]
)
def test_users_with_a_connection_of_their_own_send_it(
    user: str, module: str, generator: Generator, application: Guarded
) -> None:
    text = generator.scenario.read_text("utf-8")
    text = text.replace("harness.load.users import HarnessUser", f"harness.load.{module} import *")
    generator.scenario.write_text(text.replace("HarnessUser", user), "utf-8")

    code, said = aimed(generator, application).run("-t", "1s", *_HEADER)

    assert application.asked
    assert application.refused == set()
    assert code == 0, said


def test_locust_refuses_a_header_that_is_none(generator: Generator, application: Guarded) -> None:
    code, said = aimed(generator, application).run("--header", "X-Key s3cret")

    assert "there is no colon in it; such as --header" in said
    assert "s3cret" not in said
    assert code == 2


def test_it_stands_on_no_command_line_of_what_the_campaign_starts(
    generator: Generator, application: Guarded
) -> None:
    where = ("--headless", "--short", "--host", application.url)
    with aimed(generator, application).started(*where, *_HEADER) as process:
        assert application.some.wait(_PATIENCE_SECONDS)
        arguments = arguments_of(process.pid)
        said, _ = process.communicate(timeout=90)

    assert "locust" in arguments
    assert "s3cret" not in arguments + said
    assert application.refused == set()
    assert process.returncode == 0, said


def test_no_other_host_that_the_web_ui_is_told_gets_it(
    generator: Generator, application: Guarded
) -> None:
    with guarded() as other, web_of(aimed(generator, application, **_SAID)) as web:
        web.swarm(host=other.url)
        assert other.some.wait(20)
        web.stop()
        web.await_state("stopped")
        web.swarm(host=f"{application.url}/below")
        assert application.some.wait(20)
        web.end()

    assert {given for _, given in other.asked} == {""}
    assert {given for _, given in application.asked} == {SECRET}
