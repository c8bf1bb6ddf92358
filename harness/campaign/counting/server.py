"""Counts by the database server (`pg_stat_statements`), asked through the rig."""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["ServerSource"]


class ServerSource:
    """What the server ran since the last look.

    Args:
        taken: Gives it; see `harness.rig.client.Rig.statements`.
    """

    name = "the server's pg_stat_statements"

    def __init__(self, taken: Callable[[], Mapping[str, int]]) -> None:
        self._taken = taken
        self._statements = 0

    def take(self) -> Mapping[str, int]:
        """Statements since the last time."""
        ran = self._taken()
        self._statements += sum(ran.values())
        return ran

    def doubt(self, requests: int) -> str:
        """Where the server never counted anything, it counts somebody else's statements."""
        if self._statements:
            return ""
        return f"{requests} requests, and the server counted no statement of its database and role"
