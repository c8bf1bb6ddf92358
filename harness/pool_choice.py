"""The pool parameters that somebody chose for an application: for its URL, or a command line.

A value of its own because the command, the processes that it starts and the rig hand it on, each in
another form.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import URL

from harness.engine_plugin import with_pool

__all__ = ["PoolChoice"]


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """None leaves what the application says."""

    pool_size: int | None = None
    max_overflow: int | None = None
    pool_timeout: float | None = None

    def applied_to(self, url: URL) -> URL:
        """A URL that makes any engine made from it use them."""
        return with_pool(
            url,
            pool_size=self.pool_size,
            max_overflow=self.max_overflow,
            pool_timeout=self.pool_timeout,
        )

    def options(self) -> list[str]:
        """For ``harness serve``."""
        given = ((name, value) for name, value in asdict(self).items() if value is not None)
        return [f"--{name.replace('_', '-')}={value}" for name, value in given]
