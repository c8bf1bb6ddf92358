"""pytest-querycount, whose check for N+1 is a marker: every test has it.

With ``BENCHMARK_KINDS`` the marker counts these kinds of statements, otherwise SELECTs alone.
"""

from __future__ import annotations

import os

import pytest

__all__ = ["pytest_collection_modifyitems"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests as a user would."""
    kinds = os.environ.get("BENCHMARK_KINDS", "").split()
    for item in items:
        item.add_marker(
            pytest.mark.no_n_plus_one(kinds=tuple(kinds)) if kinds else pytest.mark.no_n_plus_one
        )
