"""What is known of a fault: where it is served, what it looks like, and what must find it.

A module of its own because the families write these values, the table in the documentation and
the tests read them, and neither needs the other.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One deliberate fault and its healthy twin; `n` below is the number of rows asked for."""

    family: str
    name: str
    method: str = "GET"
    cause: str
    """What the code does."""
    symptom: str
    """What its users or operators notice."""
    fixed: int = 1
    """Statements that run for any `n`."""
    per_row: int = 1
    """Statements that run for each row besides."""
    of_twin: int
    """Statements of the twin, for any `n`."""
    kind: str
    """The kind of finding that a detector must report for it."""
    fix: str
    """What the twin does instead."""

    @property
    def path(self) -> str:
        """Where the fault is served."""
        return f"/faults/{self.family}/{self.name}"

    @property
    def twin_path(self) -> str:
        """Where the twin is served; it takes the same request and gives the same answer."""
        return f"/twins/{self.family}/{self.name}"
