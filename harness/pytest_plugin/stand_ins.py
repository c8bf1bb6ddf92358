"""Puts the stand-in for the database into the environment, before any of the project is imported.

A `conftest.py` is imported long before a fixture can be asked for, and with it, very often, the
application and its engine. What the variables held is put back when pytest ends. Nothing is
imported for it: neither pydantic, which checks the configuration later, nor SQLAlchemy.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.asgi.environment import filled
from harness.database.stand_in import POSTGRES, on_sqlite
from harness.errors import ConfigurationError

__all__ = ["are_in_place", "put_in_place"]

_BEFORE = pytest.StashKey[dict[str, str | None]]()


def put_in_place(config: pytest.Config) -> None:
    """Set the configured variables, once. What is wrong with them is said when they are needed."""
    if _BEFORE in config.stash:
        return
    try:
        table = _nearest_table(config.rootpath)
        environment = filled(_template(table), _placeholders(table))
    except (ConfigurationError, ValueError, OSError):
        return
    before = {name: os.environ.get(name) for name in environment}
    config.stash[_BEFORE] = before
    os.environ.update(environment)
    config.add_cleanup(partial(_put_back, before))


def are_in_place(config: pytest.Config) -> bool:
    """Whether an engine may have the stand-in for its address."""
    return bool(config.stash.get(_BEFORE, None))


def _put_back(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _template(table: Mapping[str, Any]) -> dict[str, str]:
    """The variables of an application that is configured; none where that does not fit."""
    said = os.environ.get("HARNESS_ENV")
    template = json.loads(said) if said else table.get("env")
    if not (os.environ.get("HARNESS_APP") or table.get("app")) or not isinstance(template, dict):
        return {}
    is_fitting = all(isinstance(value, str) for value in template.values())
    return template if is_fitting else {}


def _placeholders(table: Mapping[str, Any]) -> Mapping[str, str]:
    place = os.environ.get("HARNESS_POSTGRES") or table.get("postgres")
    return on_sqlite() if place == "sqlite" else POSTGRES


def _nearest_table(folder: Path) -> dict[str, Any]:
    for candidate in (folder, *folder.parents):
        file = candidate / "pyproject.toml"
        if file.is_file():
            table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("harness")
            if table is not None:
                return table if isinstance(table, dict) else {}
    return {}
