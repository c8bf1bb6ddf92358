"""What is known of a fault: where it is served, what it looks like, and what must find it.

A module of its own because the families write these values, the table in the documentation and
the tests read them, and neither needs the other. Two kinds of faults: a `Fault` shows in one
request, by its statements; a `LoadFault` shows while many requests run, by what they wait for.
A `Workload` is no fault, but a request whose true limit is known.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFault:
    """One deliberate fault of what a request holds or blocks, and its healthy twin."""

    family: str
    name: str
    method: str = "GET"
    cause: str
    """What the code does."""
    symptom: str
    """What its users or operators notice."""
    signal: str
    """What can be counted, in the process or on the server, and is not there at the twin."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A request that is what it claims to be, to measure a measuring tool with."""

    path: str
    work: str
    """What one request does."""
    limit: str
    """What its throughput cannot exceed, and why."""
