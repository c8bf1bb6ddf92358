"""The line of pytest's header that tells where the PostgreSQL will come from, and why from there.

Looks only: a run that collects no database test starts no server.
"""

from __future__ import annotations

import sqlite3

import pytest

from harness.config import load_project
from harness.database.search import SQLITE, Foresight
from harness.errors import HarnessError
from harness.provision import foreseen_for

__all__ = ["pytest_report_header"]


@pytest.hookimpl
def pytest_report_header(config: pytest.Config) -> str:
    """Say which PostgreSQL will be used."""
    try:
        project = load_project(config.rootpath)
        foresight = foreseen_for(project)
    except HarnessError as error:
        return f"harness: {error.what}"  # the first test that needs it tells the remedy
    return f"harness: {_told(foresight)}, by {_origin(project.sources['postgres'])}"


def _told(foresight: Foresight) -> str:
    if foresight.place == SQLITE:
        return f"SQLite {sqlite3.sqlite_version}, a file for each test"
    reasons = "; ".join(f"{place.name}: {place.why_not}" for place in foresight.passed_over)
    return f"PostgreSQL {foresight.place}{f' ({reasons})' if reasons else ''}"


def _origin(source: str) -> str:
    return "default" if source == "default" else source
