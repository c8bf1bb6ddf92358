"""What a long load looked like, stretch by stretch, and what the processes used in between.

Facts alone. A stretch is a window like any other; what a soak adds are the readings at rest between
two of them, when nobody asks for anything and everything ought to be as it was before.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.capture.windows import LoadWindow

__all__ = ["ProcessUse", "SoakStretch"]


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """Of all processes of the application together, at rest."""

    memory_bytes: int
    """Resident."""
    threads: int
    open_files: int
    """Sockets included."""


@dataclass(frozen=True, slots=True)
class SoakStretch:
    """One stretch of a soak, and the rest after it."""

    window: LoadWindow
    checked_out: int
    """Connections that were out at rest."""
    use: ProcessUse | None
    """None where the processes cannot be seen: on another machine."""
