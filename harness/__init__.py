"""The public names of the harness, nothing else.

Importing this loads SQLAlchemy and nothing heavier: no pytest, no Locust, no rich. What runs inside
a production process is `Probe`.
"""

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
