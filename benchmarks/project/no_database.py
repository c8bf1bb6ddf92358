"""A test of a project that uses neither the harness nor a database."""

from __future__ import annotations


def test_nothing() -> None:
    """Does nothing."""
