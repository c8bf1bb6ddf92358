"""All checks of a recording at once, as the doors ask for them."""

from __future__ import annotations

from harness.capture.recording import Recording
from harness.checks.order import order_faults
from harness.checks.server_error import server_errors
from harness.checks.statements import statement_findings
from harness.findings import Finding

__all__ = ["findings_of"]


def findings_of(recording: Recording) -> list[Finding]:
    """Everything that the checks find in a recording."""
    return [*server_errors(recording), *statement_findings(recording), *order_faults(recording)]
