"""The application under test does not know its tester."""

import ast
from collections.abc import Iterator
from pathlib import Path

import target_app

ROOT = Path(target_app.__file__).parent
TESTERS = {"harness", "fixtures", "loadtests", "tests"}


def _imported_packages(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]


def test_target_app_imports_nothing_of_the_harness() -> None:
    importing = {
        str(module.relative_to(ROOT)): imported
        for module in ROOT.rglob("*.py")
        if (imported := TESTERS.intersection(_imported_packages(module)))
    }

    assert importing == {}


def test_domain_packages_have_the_same_files() -> None:
    routers = [path.parent for path in ROOT.glob("*/router.py")]

    assert {package.name for package in routers} >= {"health", "posts", "users"}
    assert [package for package in routers if not (package / "schemas.py").exists()] == []


def _names_of_http(module: Path) -> set[str]:
    imports = [
        node
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    ]
    return {
        alias.name
        for node in imports
        for alias in node.names
        if str(node.module).partition(".")[0] in {"fastapi", "starlette"}
    }


def test_repositories_and_services_know_no_http() -> None:
    modules = [*ROOT.rglob("repository.py"), *ROOT.rglob("service.py")]

    knowing = {
        str(module.relative_to(ROOT)): names
        for module in modules
        if (names := _names_of_http(module) - {"Depends"})
    }

    assert len(modules) >= 4
    assert knowing == {}
