"""The pytest plugin: isolation, a client and query counts for the configured application.

Installed through the ``pytest11`` entry point, so it is loaded in every run of every project of an
environment. It sleeps until the project has a ``[tool.harness]`` table: no fixture, no hook, and
nothing imported that pytest has not imported itself.
"""

from __future__ import annotations

import importlib
import os
import re

import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_load_initial_conftests"]

_TABLE = re.compile(r"^\s*\[{1,2}tool\.harness[\].]", re.MULTILINE)
_MODULES = (
    "harness.pytest_plugin.early",
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.client_fixtures",
    "harness.pytest_plugin.escapes",
    "harness.pytest_plugin.header",
    "harness.pytest_plugin.live_tasks",
    "harness.pytest_plugin.hooks",
    "harness.pytest_plugin.markers",
    "harness.pytest_plugin.query_lock",
    "harness.pytest_plugin.workers",
)


@pytest.hookimpl
def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, in every project: what is not declared cannot be explained either."""
    group = parser.getgroup("harness", "statements of the application")
    group.addoption(
        "--query-lock",
        choices=("check", "create", "update", "tighten", "off"),
        help="compare the statements of each endpoint with query-lock.json, or write it; "
        "default: check where CI is set, else create; off without the file",
    )
    group.addoption(
        "--query-report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the statements of each endpoint into FILE.json, .md or .sarif; repeatable",
    )


@pytest.hookimpl
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """See to it that an application finds its variables that is imported before any fixture is.

    Neither first nor last: after plugins that read such variables from files.
    """
    if _is_configured(early_config):
        _put_stand_ins_in_place(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Wake up where the project is configured."""
    if not _is_configured(config):
        _refuse_options(config)
        return
    _put_stand_ins_in_place(config)  # where this plugin is one of a conftest's own
    for name in _MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise pytest.UsageError(
                f"[tool.harness] is configured, but {error.name!r} is not installed: "
                "pip install 'fastapi-sqlalchemy-harness[test,postgres]'"
            ) from error
        config.pluginmanager.register(module, name)


def _put_stand_ins_in_place(config: pytest.Config) -> None:
    from harness.pytest_plugin.stand_ins import put_in_place  # noqa: PLC0415 - awake only

    put_in_place(config)


def _refuse_options(config: pytest.Config) -> None:
    """Who asks for a gate and gets none would never know."""
    for option, value in (
        ("--query-lock", config.getoption("query_lock", "off") or "off"),
        ("--query-report", config.getoption("query_report", [])),
    ):
        if value not in ("off", []):
            raise pytest.UsageError(
                f"{option} needs to know the application, and {config.rootpath} has no "
                "pyproject.toml with a [tool.harness] table. Add to it:\n"
                '  [tool.harness]\n  app = "your_package.main:app"'
            )


def _is_configured(config: pytest.Config) -> bool:
    if os.environ.get("HARNESS_APP"):
        return True
    for folder in (config.rootpath, *config.rootpath.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and _TABLE.search(file.read_text(encoding="utf-8", errors="replace")):
            return True
    return False
