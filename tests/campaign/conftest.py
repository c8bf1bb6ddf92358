"""A server that counts, for stretches of load whose application does not matter."""

from __future__ import annotations

from tests.load.conftest import server

__all__ = ["server"]
