"""The floor of functions: what pytest takes for a test that does nothing."""

from __future__ import annotations


def test_nothing(number: int) -> None:
    """Does nothing."""
    assert number >= 0
