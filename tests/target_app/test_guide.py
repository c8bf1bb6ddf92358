"""The guide, `docs/target_app.md`, is true: its commands run, its tables are complete."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Timer

import httpx
import pytest

import target_app
from target_app.db.seed_rows import SEEDED_PASSWORD
from target_app.settings import Settings

ROOT = Path(target_app.__file__).parents[1]
READY = re.compile(r"Uvicorn running on (http://\S+)")


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "target_app.md").read_text("utf-8")


def _section(guide: str, heading: str) -> str:
    return guide.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def _commands(guide: str, heading: str) -> list[str]:
    block = _section(guide, heading).partition("```bash\n")[2].partition("```")[0]
    return block.strip().splitlines()


def test_the_quick_start_on_sqlite_runs_as_written(
    guide: str, tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    """In a folder of its own, and on a free port: another process may have 8000."""
    *prepare, serve = _commands(guide, "Quick start on SQLite")
    script = "\n".join(["set -e", *prepare, f"exec {serve} --port 0"])
    outer = {
        key: value
        for key, value in unmeasured_environment.items()
        if not key.startswith("TARGET_APP_")
    }
    programs = f"{Path(sys.executable).parent}{os.pathsep}{outer['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script],  # noqa: S607 - whichever bash a user has
        cwd=tmp_path,
        env={**outer, "PATH": programs, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    watchdog = Timer(60, process.kill)
    watchdog.start()
    try:
        address = _address(process)
        posts = httpx.get(f"{address}/posts").json()
        documentation = httpx.get(f"{address}/docs")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()

    assert serve == "python -m target_app"
    assert len(posts) == 10
    assert documentation.status_code == 200
    assert process.returncode == 0


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = ""
    while not (ready := READY.search(said)):
        line = process.stderr.readline()
        assert line, said
        said += line
    return ready[1]


def test_the_commands_of_both_quick_starts_are_tested_somewhere(guide: str) -> None:
    """Those of PostgreSQL one by one, in `test_commands` and `test_migrations`."""
    commands = _commands(guide, "Quick start on PostgreSQL")

    assert commands[1:] == [
        "alembic -c target_app/alembic.ini upgrade head",
        "python -m target_app.db seed",
        "python -m target_app.db verify",
        "python -m target_app",
    ]
    assert f"`{SEEDED_PASSWORD}`" in _section(guide, "Quick start on SQLite")


def test_every_setting_is_in_the_table_with_its_default(guide: str) -> None:
    rows = re.findall(r"^\| `TARGET_APP_(\w+)` \| (\S+) \|", guide, re.MULTILINE)
    defaults = {
        name: f"`{field.default}`" if field.default != "" else "required"
        for name, field in Settings.model_fields.items()
    }

    assert {name.lower(): default for name, default in rows} == defaults


def test_the_example_of_a_dotenv_has_every_setting_and_none_of_them_on() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    settings = dict(line.removeprefix("#").split("=", 1) for line in lines if "=" in line)

    assert [name.removeprefix("TARGET_APP_").lower() for name in settings] == [
        *Settings.model_fields
    ]
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_example_of_a_dotenv_has_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith("TARGET_APP_")]:
        monkeypatch.delenv(variable)
    for usual_name in ("DATABASE_URL", "DEBUG", "SQLALCHEMY_ECHO"):
        monkeypatch.delenv(usual_name, raising=False)
    monkeypatch.chdir(tmp_path)
    example = (ROOT / ".env.example").read_text("utf-8")
    (tmp_path / ".env").write_text(example.replace("#TARGET_APP_", "TARGET_APP_"), "utf-8")

    settings = Settings()

    assert settings == Settings.model_construct(database_url=settings.database_url)
    assert settings.model_fields_set == set(Settings.model_fields)


def test_every_module_is_on_the_map_and_every_path_on_it_exists(guide: str) -> None:
    paths = set(re.findall(r"`((?:target_app|docs)/[\w/.]+)`", _section(guide, "Where is what?")))
    top = {path for path in (ROOT / "target_app").iterdir() if path.name != "__pycache__"}
    modules = {*top, *(ROOT / "target_app" / "db").glob("*.py")}
    expected = {
        str(path.relative_to(ROOT))
        for path in modules
        if path.name not in {"__init__.py", "__main__.py", "db"}
    }

    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
    assert sorted(expected - paths) == []
