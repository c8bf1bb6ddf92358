"""The one error of all troubles: what was asked for cannot be done to this database.

A module of its own so that whoever plans troubles can tell "skip this one, and say why" from
everything else that may go wrong.
"""

from __future__ import annotations

from harness.errors import UnavailableError

__all__ = ["CannotTroubleError"]


class CannotTroubleError(UnavailableError):
    """A trouble that this server, or this role, does not allow."""

    slug = "cannot-trouble"
