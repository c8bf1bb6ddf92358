"""The response header ``Server-Timing``: what a person sees in the browser's network panel.

It is sent with the start of the response, so it tells nothing of streaming, teardown and background
work; the status does.
"""

from __future__ import annotations

from harness.capture.requests import Message
from harness.capture.usage import Usage

__all__ = ["with_server_timing"]

_NAME = b"server-timing"
_SEVERAL = b'db;dur=%.1f;desc="%d statements", pool;dur=%.1f'
_ONE = _SEVERAL.replace(b"statements", b"statement")


def with_server_timing(usage: Usage, start: Message) -> Message:
    """The start of a response with the database's share; the application's own stay as they are.

    Several headers of this name are one list (RFC 9110, 5.3).
    """
    statements = usage.statements
    value = (_ONE if statements == 1 else _SEVERAL) % (
        usage.busy_seconds * 1000,
        statements,
        usage.wait_seconds * 1000,
    )
    return {**start, "headers": [*start.get("headers", ()), (_NAME, value)]}
