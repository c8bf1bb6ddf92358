"""The documentation says what is so."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness import checks, errors
from harness.campaign import ground
from harness.campaign.drought import dryness
from harness.checkup import drills
from harness.cli import command
from harness.config import Configuration
from harness.database.rollback import advice
from harness.rig.trouble import ledger, locks, refusal

_LINK = re.compile(r"\]\(([^)#]+)\)")
_OURS = re.compile(r"(?<![\w./-])harness(?:\.\w+)+")
# In a process of its own: some of the modules import Locust, which patches its importer.
_UNKNOWN = """
import pkgutil, sys
for name in sys.argv[1:]:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        print(name)
"""


@pytest.fixture(scope="module")
def readme(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "README.md").read_text("utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readmes_configuration_is_valid(readme: str) -> None:
    tables = [tomllib.loads(block) for block in _blocks(readme, "toml")]

    settings = Configuration.model_validate(tables[0]["tool"]["harness"])
    assert settings.app == "shop.main:app"
    assert settings.env == {"DATABASE_URL": "{async_url}"}


def test_the_readmes_pytest_settings_are_this_projects_own(
    readme: str, pytestconfig: pytest.Config
) -> None:
    shown = tomllib.loads(_blocks(readme, "toml")[1])["tool"]["pytest"]["ini_options"]
    own = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text("utf-8"))

    assert shown.items() <= own["tool"]["pytest"]["ini_options"].items()


def test_the_readmes_test_runs(readme: str, pytester: pytest.Pytester, root: Path) -> None:
    pytester.makepyfile(_blocks(readme, "python")[0])
    pytester.makepyprojecttoml(_as_another_project(root))

    result = pytester.runpytest_subprocess("-p", "no:locust", "-p", "no:schemathesis")

    result.assert_outcomes(passed=1)


def test_the_readmes_lines_are_in_the_functions_that_it_names(readme: str, root: Path) -> None:
    named = re.findall(r"(target_app/\S+\.py):(\d+) in (\w+)", readme)

    elsewhere = [
        f"{path}:{line}" for path, line, name in named if int(line) not in _lines(root / path, name)
    ]
    assert named
    assert elsewhere == []


def _lines(module: Path, function: str) -> range:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(0)


def test_the_readmes_make_targets_exist(readme: str, root: Path) -> None:
    named = set(re.findall(r"make ([a-z]+)", " ".join(_blocks(readme, "console"))))

    defined = set(
        re.findall(r"^([a-z-]+):.*##", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    assert named == {"demo", "test"}
    assert named <= defined


def test_every_verb_that_is_named_exists(readme: str) -> None:
    verbs = set(re.findall(r"`harness ([a-z]+)", readme)) | set(
        re.findall(r"\$ harness ([a-z]+)", readme)
    )

    assert (
        verbs
        == {"checkup", "echo", "load", "lock", "scan", "serve"}
        == set(command.list_commands(command.make_context("", [], resilient_parsing=True)))
    )


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(root: Path, name: str) -> None:
    targets = _LINK.findall((root / name).read_text("utf-8"))

    assert [target for target in targets if not (root / target).exists()] == []


def test_every_dotted_name_of_ours_exists(root: Path) -> None:
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    named = {
        name
        for file in files
        if file.name != "CHANGELOG.md"
        for name in _OURS.findall(file.read_text("utf-8"))
    }

    command = [sys.executable, "-c", _UNKNOWN, *sorted(named)]
    unknown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "harness.statuses.told_behind" in named
    assert unknown.split() == []


def test_every_page_of_the_reference_is_in_its_index(root: Path) -> None:
    folder = root / "docs/reference"
    listed = _LINK.findall((folder / "README.md").read_text("utf-8"))

    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert [target for target in listed if not (folder / target).exists()] == []
    assert pages - {*listed} == set()


def test_every_topic_of_advice_is_among_the_names_in_brackets(root: Path) -> None:
    text = (root / "docs/reference/errors.md").read_text("utf-8")

    assert [topic for topic in advice.Topic if f"`[{topic}]`" not in text] == []


def test_every_option_of_a_verb_is_on_its_page(root: Path) -> None:
    pages = {"checkup": "checkup.md", "echo": "echo.md", "load": "locust.md", "serve": "serve.md"}

    left_out = [
        f"{verb} {option}"
        for verb, page in pages.items()
        for option in _options(verb)
        if f"`{option}" not in (root / "docs/reference" / page).read_text("utf-8")
    ]
    assert left_out == []


def _options(verb: str) -> Iterator[str]:
    context = command.make_context("harness", [], resilient_parsing=True)
    found = command.get_command(context, verb)
    for parameter in found.params if found is not None else ():
        is_shown = isinstance(parameter, click.Option) and not parameter.hidden
        yield from (option for option in parameter.opts if is_shown)


def test_every_configuration_key_is_documented(root: Path) -> None:
    text = (root / "docs/reference/configuration.md").read_text("utf-8")

    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(Configuration.model_fields)


def test_every_finding_kind_is_documented(root: Path) -> None:
    text = (root / "docs/reference/findings.md").read_text("utf-8")

    kinds: set[str] = set()
    for found in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        module = importlib.import_module(found.name)
        kinds |= {module.KIND} if hasattr(module, "KIND") else set()
        kinds |= getattr(module, "KINDS", frozenset())
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []


def test_every_error_is_documented_with_its_exit_code(root: Path) -> None:
    text = (root / "docs/reference/errors.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `\[([\w-]+)\]` \| (\d|none) \|", text, re.MULTILINE))
    ours = {error.slug: str(int(error.exit_code)) for error in _errors()}

    assert set(rows) == set(ours)
    assert {slug: code for slug, code in rows.items() if code != "none"}.items() <= ours.items()


def _errors() -> Iterator[type[errors.HarnessError]]:
    for module in (errors, drills, dryness, ground, ledger, locks, refusal):
        for value in vars(module).values():
            is_error = isinstance(value, type) and issubclass(value, errors.HarnessError)
            if is_error and value is not errors.HarnessError:
                yield value


def test_the_readmes_python_parses(readme: str) -> None:
    for block_of_code in _blocks(readme, "python"):
        ast.parse(block_of_code)


@pytest.fixture(scope="module")
def root(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath


def _as_another_project(root: Path) -> str:
    return f"""
[tool.harness]
app = "target_app.main:create_app"
alembic = "{root}/target_app/alembic.ini"
env = {{ TARGET_APP_DATABASE_URL = "{{async_url}}" }}
[tool.pytest.ini_options]
pythonpath = ["{root}"]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
filterwarnings = ["error"]
"""
