"""Requests that the application answered with a 5xx, or not at all."""

from __future__ import annotations

from harness.capture.recording import Recording
from harness.findings import Finding, Severity

__all__ = ["KIND", "server_errors"]

KIND = "server-error"

_SERVER_ERROR = 500


def server_errors(recording: Recording) -> list[Finding]:
    """One finding per route."""
    found: dict[str, Finding] = {}
    for request in recording.requests:
        if request.status is not None and request.status < _SERVER_ERROR:
            continue
        answer = f"answered {request.status}" if request.status else "raised"
        finding = Finding(
            kind=KIND,
            label=str(request.status or "raised"),
            anchor=request.name,
            severity=Severity.ERROR,
            title=f"{request.name} {answer} for {request.path}",
            fix="request it under uvicorn to see the traceback",
            site=request.endpoint,
        )
        found.setdefault(finding.identity, finding)
    return list(found.values())
