"""The public names of the harness, nothing else.

They are loaded when they are first used: importing this package imports nothing, so that the
command starts at once, and a production process that wants `Probe` loads SQLAlchemy and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.findings import Allowance, Finding, Severity, SourceLine, Verdict
    from harness.middleware import Probe

__all__ = [
    "Allowance",
    "Finding",
    "HarnessError",
    "Probe",
    "Severity",
    "SourceLine",
    "Verdict",
]

_HOMES = {"HarnessError": "harness.errors", "Probe": "harness.middleware"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "harness.findings")), name)
