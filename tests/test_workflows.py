"""The GitHub Action and the example workflows: their shell steps, run as GitHub runs them.

What is not a shell step of ours (a checkout, an upload) is left out; everything else happens: the
expressions, the variables, bash with GitHub's options, the summary, the outputs and the status.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plugin.conftest import DATABASE

ROOT = Path(__file__).resolve().parents[1]
HOW_TO = ROOT / "docs" / "how-to"
OUR_ACTION = "/fastapi-sqlalchemy-harness@"
# What would let this run's own settings into the steps.
OURS_ALONE = ("PYTEST_", "COVERAGE_", "COV_", "HARNESS_", "GITHUB_")

MAIN = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from shop.database import Author, get_session

app = FastAPI()
Session = Annotated[AsyncSession, Depends(get_session)]

@app.get("/authors")
async def count_authors(session: Session) -> int:
    return await session.scalar(select(func.count()).select_from(Author))
"""
ONE_MORE = MAIN.replace(
    "    return await session.scalar(",
    "    await session.scalars(select(Author.id))\n    return await session.scalar(",
)
TESTS = """
async def test_authors(client):
    assert (await client.get("/authors")).json() == 5
"""
PROJECT = """
[tool.harness]
app = "shop.main:app"
metadata = "shop.database:Base"
session_dependency = "shop.database:get_session"
populate = "shop.database:populate"
postgres = "sqlite"
env.SHOP_DATABASE_URL = "{async_url}"

[tool.pytest.ini_options]
pythonpath = ["."]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
addopts = ["-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:randomly"]
"""

Yaml = dict[str, Any]


@dataclass
class Job:
    """What GitHub gives to the steps of one job."""

    folder: Path
    runner: Path
    expressions: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What the job's page shows."""
        file = self.runner / "summary.md"
        return file.read_text("utf-8") if file.exists() else ""

    def resolved(self, text: object) -> str:
        """Text with the values of its expressions."""
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: self.expressions[found[1]], str(text))

    def run(self, step: Yaml) -> int:
        """Run a shell step; its outputs become expressions."""
        output = self.runner / "output"
        output.write_text("")
        script = self.runner / "step.sh"
        script.write_text(self.resolved(step["run"]))
        ended = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.folder / self.resolved(step.get("working-directory", ".")),
            env=self._environment(step.get("env", {})),
            capture_output=True,
            text=True,
            check=False,
        )
        (self.runner / "log").write_text(ended.stdout + ended.stderr)
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.expressions[f"steps.{step.get('id')}.outputs.{name}"] = value
        return ended.returncode

    def _environment(self, variables: Mapping[str, object]) -> dict[str, str]:
        ours = {key: value for key, value in os.environ.items() if not key.startswith(OURS_ALONE)}
        return {
            **ours,
            "CI": "true",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(self.runner / "output"),
            "GITHUB_STEP_SUMMARY": str(self.runner / "summary.md"),
            **{name: self.resolved(value) for name, value in variables.items()},
        }

    @property
    def log(self) -> str:
        """What the last step printed."""
        return (self.runner / "log").read_text("utf-8")

    def use(self, action: Yaml, **inputs: str) -> int:
        """Run a composite action; its outputs become those of the step ``lock``."""
        values = {name: each["default"] for name, each in action["inputs"].items()} | inputs
        self.expressions |= {f"inputs.{name}": self.resolved(text) for name, text in values.items()}
        self.expressions["runner.temp"] = str(self.runner)
        for name in action["outputs"]:
            self.expressions[f"steps.pytest.outputs.{name}"] = ""
        for step in action["runs"]["steps"]:
            if status := self.run(step):
                break
        for name, each in action["outputs"].items():
            self.expressions[f"steps.lock.outputs.{name}"] = self.resolved(each["value"])
        return status


@pytest.fixture(scope="module")
def action() -> Yaml:
    """The action of this repository."""
    return _read(ROOT / "action.yml")


def _read(file: Path) -> Yaml:
    content = yaml.safe_load(file.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with a small project checked out."""
    return _job(tmp_path)


def _job(folder: Path) -> Job:
    for name, text in {
        "shop/__init__.py": "",
        "shop/database.py": DATABASE,
        "shop/main.py": MAIN,
        "tests/shard_1/test_authors.py": TESTS,
        "pyproject.toml": PROJECT,
        "requirements-dev.txt": "",
    }.items():
        file = folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    runner = folder / "runner"
    runner.mkdir()
    return Job(folder / "project", runner)


@pytest.fixture(scope="module")
def lock(action: Yaml, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the action writes for that project."""
    job = _job(tmp_path_factory.mktemp("create"))
    assert job.use(action, mode="create") == 0, job.log
    return (job.folder / "query-lock.json").read_text("utf-8")


@pytest.fixture
def locked_job(job: Job, lock: str) -> Job:
    """The same with the lock committed."""
    (job.folder / "query-lock.json").write_text(lock)
    return job


def test_a_job_without_a_regression_passes_and_has_all_reports(
    action: Yaml, locked_job: Job
) -> None:
    status = locked_job.use(action, arguments="-k 'authors or nothing'")

    reports = {
        name: Path(locked_job.expressions[f"steps.lock.outputs.{name}"])
        for name in ("json", "markdown", "sarif")
    }
    assert status == 0, locked_job.log
    assert "1 passed" in locked_job.log
    assert all(file.is_file() for file in reports.values())
    assert locked_job.summary == reports["markdown"].read_text("utf-8")


def test_a_regression_fails_with_pytests_status_and_stands_in_the_summary(
    action: Yaml, locked_job: Job
) -> None:
    (locked_job.folder / "shop" / "main.py").write_text(ONE_MORE)

    status = locked_job.use(action)

    assert status == 1
    assert "GET /authors" in locked_job.log
    assert "GET /authors" in locked_job.summary
    assert Path(locked_job.expressions["steps.lock.outputs.sarif"]).is_file()


def test_a_usage_error_keeps_its_status_and_names_no_report(action: Yaml, job: Job) -> None:
    status = job.use(action, arguments="--no-such-option")

    assert status == 4, job.log
    assert job.expressions["steps.lock.outputs.json"] == ""
    assert job.summary == ""


def test_a_job_compares_with_a_report_of_the_base_instead_of_a_lock(action: Yaml, job: Job) -> None:
    assert job.use(action, mode="off") == 0, job.log
    base = job.expressions["steps.lock.outputs.json"]

    equal = job.use(action, mode="off", base=base)
    (job.folder / "shop" / "main.py").write_text(ONE_MORE)
    more = job.use(action, mode="off", base=base)

    assert (equal, more) == (0, 1), job.log
    assert re.findall("### Query lock: (.*)", job.summary) == [
        "no endpoint changed",
        "1 regression",
    ]
    assert not (job.folder / "query-lock.json").exists()


def test_the_guide_has_every_input_and_output_of_the_action(action: Yaml) -> None:
    guide = (HOW_TO / "query-lock-in-ci.md").read_text("utf-8")
    told = re.findall(r"^\| (`.*?) \| (?:`(.*?)`)? ?\|?", guide, re.MULTILINE)
    defaults = {name.strip("`"): default for name, default in told if ", " not in name}
    outputs = [name for names, _ in told if ", " in names for name in re.findall(r"\w+", names)]

    assert defaults == {name: each["default"] for name, each in action["inputs"].items()}
    assert outputs == list(action["outputs"])


def test_inputs_are_no_part_of_the_script(action: Yaml, job: Job) -> None:
    scripts = [step["run"] for step in action["runs"]["steps"]]

    status = job.use(action, arguments="'$(touch owned)'; touch owned")

    assert [script for script in scripts if "${{" in script] == []
    assert status != 0
    assert not (job.folder / "owned").exists()


@pytest.mark.parametrize(
    ("main", "expected"), [(MAIN, 0), (ONE_MORE, 1)], ids=["nothing more", "a query more"]
)
def test_the_example_workflow_runs(action: Yaml, locked_job: Job, main: str, expected: int) -> None:
    (locked_job.folder / "shop" / "main.py").write_text(main)
    [steps] = [each["steps"] for each in _read(HOW_TO / "query-lock-workflow.yml")["jobs"].values()]

    statuses = [
        locked_job.use(action, **step.get("with", {}))
        if OUR_ACTION in step.get("uses", "")
        else locked_job.run(step)
        for step in steps
        if "run" in step or OUR_ACTION in step["uses"]
    ]

    upload = next(step for step in steps if "upload-sarif" in step.get("uses", ""))
    sarif = Path(locked_job.resolved(upload["with"]["sarif_file"]))
    assert statuses == [0, 0, expected], locked_job.log
    assert sarif.is_file()
    assert upload["if"] == "always()"


def test_the_example_without_a_lock_runs(job: Job) -> None:
    jobs = _read(HOW_TO / "query-lock-workflow-without-a-lock.yml")["jobs"]
    shards = job.folder / "tests" / "shard_2"
    shards.mkdir()
    (shards / "test_more.py").write_text(TESTS)
    for name in ("before", "after"):
        for shard in jobs[name]["strategy"]["matrix"]["shard"]:
            job.expressions["matrix.shard"] = str(shard)
            assert [job.run(step) for step in jobs[name]["steps"] if "run" in step] == [0, 0]
        (job.folder / "shop" / "main.py").write_text(ONE_MORE)

    # The wheel is installed here already, and must not come from elsewhere.
    steps = [step for step in jobs["compare"]["steps"] if step.get("name") != "Install"]
    statuses = [job.run(step) for step in steps if "run" in step]

    assert statuses == [0, 1], job.log
    assert job.summary.startswith("### Query lock: 1 regression\n")
