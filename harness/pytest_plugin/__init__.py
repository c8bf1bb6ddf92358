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

__all__ = ["pytest_configure"]

_TABLE = re.compile(r"^\s*\[{1,2}tool\.harness[\].]", re.MULTILINE)
_MODULES = (
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.client_fixtures",
    "harness.pytest_plugin.header",
    "harness.pytest_plugin.hooks",
    "harness.pytest_plugin.markers",
    "harness.pytest_plugin.workers",
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Wake up where the project is configured."""
    if not _is_configured(config):
        return
    for name in _MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise pytest.UsageError(
                f"[tool.harness] is configured, but {error.name!r} is not installed: "
                "pip install 'fastapi-sqlalchemy-harness[test,postgres]'"
            ) from error
        config.pluginmanager.register(module, name)


def _is_configured(config: pytest.Config) -> bool:
    if os.environ.get("HARNESS_APP"):
        return True
    for folder in (config.rootpath, *config.rootpath.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and _TABLE.search(file.read_text(encoding="utf-8", errors="replace")):
            return True
    return False
