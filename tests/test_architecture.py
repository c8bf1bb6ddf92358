"""The rules that hold the tree together, each as a function that can be shown to fail.

A rule looks at one module and tells its breaches. It is run over every file, over a planted breach
that it must find, and over a healthy twin that it must leave alone.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

from harness.errors import ExitCode

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("harness", "target_app", "fixtures", "loadtests", "tests", "benchmarks")
OURS = {*FOLDERS, "conftest"}
TEXT_SUFFIXES = {".py", ".j2", ".css", ".json", ".ini", ".mako"}

FOUNDATION = ("harness.errors", "harness.findings", "harness.loops")
PLACES = ("harness.asgi", "harness.database")
# What a layer may import of the harness, besides itself. Whatever is not listed is a door, and may
# import everything below the doors.
LAYERS = {
    "harness.errors": (),
    "harness.findings": FOUNDATION,
    "harness.loops": FOUNDATION,
    "harness.config": FOUNDATION,
    "harness.capture": FOUNDATION,
    "harness.lock": (*FOUNDATION, "harness.capture"),
    "harness.checks": (*FOUNDATION, "harness.capture", "harness.lock"),
    # It renders what others measured: the data of a load run or of a log, never what records.
    "harness.report": (
        *FOUNDATION,
        "harness.capture.traffic",
        "harness.capture.windows",
        "harness.capture.echo.tally",
        "harness.lock",
        "harness.checks",
    ),
    "harness.asgi": (*FOUNDATION, "harness.capture"),
    "harness.database": (*FOUNDATION, "harness.capture"),
}
# Third-party package: the only places that may import it.
CONFINED = {
    "locust": ("harness.load", "loadtests"),
    "gevent": ("harness.load", "loadtests"),
    "pytest": ("harness.pytest_plugin", "fixtures", "tests", "benchmarks.approaches"),
    "rich": ("harness.report", "harness.cli", "tests"),
    "click": ("harness.report", "harness.cli", "harness.__main__", "tests"),
    "typer": ("harness.report", "harness.cli", "tests"),
}
# What may run inside a production process needs the wheel's base dependencies alone.
IN_PRODUCTION = (
    *FOUNDATION,
    "harness.capture",
    "harness.lock",
    "harness.checks",
    "harness.middleware",
    "harness.engine_plugin",
)
BASE_DEPENDENCIES = {"sqlalchemy", "greenlet"}
HEAVY = {
    *CONFINED,
    "fastapi",
    "starlette",
    "pydantic",
    "asyncpg",
}
MOST_LINES = {"harness": 350, "target_app": 350, "fixtures": 40, "loadtests": 350, "tests": 500}
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
FIRST_PARTY_NAMES = re.compile(r"\b(?:target_app|loadtests)\b")


@dataclass(frozen=True)
class Module:
    """A file of the tree, or one that a test makes up."""

    path: PurePosixPath
    source: str

    @property
    def name(self) -> str:
        """As it is imported: ``harness.report.text``."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source if self.is_python else "")

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Everything imported, wherever it stands: ``from a import b`` gives ``a.b``."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{self._origin(node)}.{alias.name}" for alias in node.names)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = self.path.parent.parts
        package = here[: len(here) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])


def is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports_within(module: Module, *packages: str) -> Iterator[str]:
    return (name for name in module.imports if is_within(name, *packages))


def harness_imports_its_users(module: Module) -> Iterator[str]:
    if is_within(module.name, "harness"):
        yield from imports_within(module, *(OURS - {"harness"}))


def harness_names_its_users(module: Module) -> Iterator[str]:
    if module.path.parts[0] == "harness":
        for number, line in enumerate(module.source.splitlines(), start=1):
            yield from (f"line {number}: {name}" for name in FIRST_PARTY_NAMES.findall(line))


def target_app_knows_its_tester(module: Module) -> Iterator[str]:
    if is_within(module.name, "target_app"):
        yield from imports_within(module, *(OURS - {"target_app"}))


def fixtures_import_other_folders(module: Module) -> Iterator[str]:
    if is_within(module.name, "fixtures"):
        yield from imports_within(module, *(OURS - {"fixtures", "harness", "target_app"}))


def loadtests_import_more_than_locust(module: Module) -> Iterator[str]:
    if is_within(module.name, "loadtests"):
        for name in module.imports:
            if name.partition(".")[0] not in {"harness", "locust", *sys.stdlib_module_names}:
                yield name


def imports_against_the_layers(module: Module) -> Iterator[str]:
    layer = next((name for name in LAYERS if is_within(module.name, name)), None)
    if layer is not None:
        for name in imports_within(module, "harness"):
            if not is_within(name, layer, *LAYERS[layer]):
                yield name


def imports_a_confined_package(module: Module) -> Iterator[str]:
    for package, places in CONFINED.items():
        if not is_within(module.name, *places):
            yield from imports_within(module, package)


def needs_an_extra_in_production(module: Module) -> Iterator[str]:
    if is_within(module.name, *IN_PRODUCTION):
        for name in module.imports:
            top = name.partition(".")[0]
            if top not in {"harness", *BASE_DEPENDENCIES, *sys.stdlib_module_names}:
                yield name


def is_too_long(module: Module) -> Iterator[str]:
    lines, most = len(module.source.splitlines()), MOST_LINES.get(module.path.parts[0])
    if module.is_python and most is not None and lines > most:
        yield f"{lines} lines, at most {most}"


def is_named_after_nothing(module: Module) -> Iterator[str]:
    for part in module.path.with_suffix("").parts:
        if NAMES_OF_NOTHING.intersection(part.lower().strip("_").split("_")):
            yield part


def has_no_docstring(module: Module) -> Iterator[str]:
    is_private = module.path.stem.startswith("_") and not module.path.stem.startswith("__")
    if module.is_python and not is_private and not (ast.get_docstring(module.tree) or "").strip():
        yield "no docstring"


def leaves_an_exit_code_unexplained(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and node.name == "ExitCode":
            for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(statement, ast.Assign) and not _is_text(following):
                    yield ast.unparse(statement)


def _is_text(node: ast.stmt | None) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """What no module may do, a module that does it, and the nearest one that does not."""

    breaches: Callable[[Module], Iterator[str]]
    planted: tuple[str, str]
    healthy: tuple[str, str]


RULES = [
    Rule(
        harness_imports_its_users,
        planted=("harness/cli/scan.py", "def scan():\n    from fixtures.factories import populate"),
        healthy=("harness/cli/scan.py", "from harness.pytest_plugin.fixtures import app"),
    ),
    Rule(
        harness_names_its_users,
        planted=("harness/cli/scan.py", '"""Like target_app.main does."""'),
        healthy=("harness/cli/scan.py", '"""The user\'s fixtures, and a mytarget_app2."""'),
    ),
    Rule(
        harness_names_its_users,
        planted=("harness/report/templates/page.html.j2", "<p>locust -f loadtests</p>"),
        healthy=("harness/report/templates/page.html.j2", "<p>locust -f traffic</p>"),
    ),
    Rule(
        target_app_knows_its_tester,
        planted=("target_app/main.py", "from harness import Probe"),
        healthy=("target_app/main.py", "from target_app.posts import router"),
    ),
    Rule(
        fixtures_import_other_folders,
        planted=("fixtures/app.py", "import tests.report.conftest"),
        healthy=("fixtures/app.py", "from harness import Probe\nfrom target_app import main"),
    ),
    Rule(
        loadtests_import_more_than_locust,
        planted=("loadtests/browse.py", "from target_app.settings import Settings"),
        healthy=("loadtests/browse.py", "import random\nfrom locust import task"),
    ),
    Rule(
        imports_against_the_layers,
        planted=("harness/capture/pool.py", "from ..checks import budget"),
        healthy=("harness/capture/pool.py", "from .recording import Checkout"),
    ),
    Rule(
        imports_against_the_layers,
        planted=("harness/report/text.py", "from harness.capture.recorder import Recorder"),
        healthy=("harness/report/text.py", "from harness.capture.traffic import LoadStory"),
    ),
    Rule(
        imports_against_the_layers,
        planted=("harness/database/rollback.py", "from harness.config import Project"),
        healthy=("harness/database/rollback.py", "from harness.capture import requests"),
    ),
    Rule(
        imports_against_the_layers,
        planted=("harness/checks/budget.py", "from harness import stage"),
        healthy=("harness/cli/scan.py", "from harness import stage"),
    ),
    Rule(
        imports_a_confined_package,
        planted=("harness/checkup/drills.py", "from locust.env import Environment"),
        healthy=("harness/checkup/drills.py", "from harness.campaign.traffic import traffic"),
    ),
    Rule(
        imports_a_confined_package,
        planted=("harness/stage.py", "from pytest import fixture"),
        healthy=("harness/pytest_plugin/lock.py", "from pytest import fixture"),
    ),
    Rule(
        needs_an_extra_in_production,
        planted=("harness/middleware.py", "from starlette.types import ASGIApp"),
        healthy=("harness/middleware.py", "from sqlalchemy.pool import Pool"),
    ),
    Rule(
        is_too_long,
        planted=("fixtures/app.py", "pass\n" * 41),
        healthy=("fixtures/app.py", "pass\n" * 40),
    ),
    Rule(
        is_named_after_nothing,
        planted=("harness/database/url_utils.py", ""),
        healthy=("harness/database/urls.py", ""),
    ),
    Rule(
        has_no_docstring,
        planted=("harness/cli/scan.py", "import typer"),
        healthy=("harness/cli/scan.py", '"""``harness scan``."""\nimport typer'),
    ),
    Rule(
        leaves_an_exit_code_unexplained,
        planted=("harness/errors.py", "class ExitCode:\n    CLEAN = 0\n    MISUSE = 2\n    'why'"),
        healthy=("harness/errors.py", "class ExitCode:\n    MISUSE = 2\n    'why'"),
    ),
]


def _made_up(text: tuple[str, str]) -> Module:
    path, source = text
    return Module(PurePosixPath(path), source)


def _files() -> Iterator[Path]:
    yield ROOT / "conftest.py"
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in TEXT_SUFFIXES)


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    """Every file of the tree."""
    return [
        Module(PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text(encoding="utf-8"))
        for path in sorted(_files())
    ]


def _loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("breaches", dict.fromkeys(rule.breaches for rule in RULES))
def test_no_module_of_the_tree(
    breaches: Callable[[Module], Iterator[str]], modules: list[Module]
) -> None:
    found = {str(module.path): told for module in modules if (told := list(breaches(module)))}

    assert found == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.breaches.__name__)
def test_a_planted_breach_is_found_and_its_healthy_twin_is_not(rule: Rule) -> None:
    assert list(rule.breaches(_made_up(rule.planted)))
    assert list(rule.breaches(_made_up(rule.healthy))) == []


def test_the_files_that_the_rules_look_at_are_there(modules: list[Module]) -> None:
    seen = {module.path.parts[0] for module in modules}
    layers = {layer for layer in LAYERS if any(is_within(m.name, layer) for m in modules)}

    assert seen >= {"conftest.py", "harness", "target_app", "fixtures", "loadtests", "tests"}
    assert layers == set(LAYERS)


def test_the_readme_and_the_command_tell_every_exit_code() -> None:
    help_text = (ROOT / "harness" / "cli" / "__init__.py").read_text(encoding="utf-8")
    told = [" ".join(text.split()) for text in ((ROOT / "README.md").read_text("utf-8"), help_text)]
    untold = [
        code.name
        for text in told
        for code in ExitCode
        if not re.search(rf"[Ee]xit codes?\b[^.]*\b{code.value} [a-z]", text)
    ]

    assert untold == []


@pytest.mark.parametrize(
    "statement",
    ["import harness", "import harness\nfor name in harness.__all__: getattr(harness, name)"],
    ids=["the package", "all of its names"],
)
def test_importing_the_harness_loads_nothing_heavier_than_sqlalchemy(statement: str) -> None:
    assert _loaded_by(statement) & HEAVY == set()


def test_a_heavy_import_would_be_noticed() -> None:
    assert _loaded_by("import harness, click") & HEAVY >= {"click"}


def test_no_module_outside_harness_load_brings_locust_into_its_process(
    modules: list[Module],
) -> None:
    names = [
        module.name
        for module in modules
        if module.is_python
        and is_within(module.name, "harness")
        and not is_within(module.name, "harness.load")
    ]

    loaded = _loaded_by(f"import {', '.join(names)}")

    assert loaded & {"locust", "gevent"} == set()
