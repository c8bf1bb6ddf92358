"""The application under test does not know its tester."""

import ast
from collections.abc import Iterator
from importlib import import_module
from inspect import isasyncgenfunction, iscoroutinefunction
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


def test_only_the_blocking_session_is_made_in_a_thread() -> None:
    threaded = {
        name
        for path in ROOT.rglob("*.py")
        for name, dependency in _dependencies(path)
        if not (iscoroutinefunction(dependency) or isasyncgenfunction(dependency))
    }

    assert threaded == {"get_blocking_session"}


def _dependencies(path: Path) -> Iterator[tuple[str, object]]:
    """What the `Depends(…)` of a module name, with the names."""
    names = {
        node.args[0].id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Depends"
        and isinstance(node.args[0], ast.Name)
    }
    if names:
        module = import_module(".".join(path.relative_to(ROOT.parent).with_suffix("").parts))
        yield from ((name, getattr(module, name)) for name in names)
