"""The floor of coroutines: what pytest and pytest-asyncio take for a test that does nothing."""

from __future__ import annotations


async def test_nothing(number: int) -> None:
    """Does nothing."""
    assert number >= 0
