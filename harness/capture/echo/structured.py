"""Log lines that are JSON or logfmt, taken apart.

Formatters do not agree on the names of fields: python-json-logger says ``message`` and ``name``,
structlog ``event`` and ``logger``, the Elastic schema ``log.logger``, Docker wraps the line itself.
"""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Fields", "fields_of"]

_MESSAGE = ("message", "msg", "event", "textPayload", "MESSAGE", "body", "text")
_LOGGER = ("logger", "name", "logger_name", "log.logger", "logger.name", "loggerName", "channel")
_NESTED = ("jsonPayload", "record", "fields", "data", "log", "logger")
_LOGFMT = re.compile(
    r"""(?:^|\s)(?:msg|message|event)=(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
)
_LOGFMT_LOGGER = re.compile(r"(?:^|\s)(?:logger|name|logger_name)=[\"']?(?P<name>[\w.-]+)")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a structured line holds."""

    message: str
    logger: str
    """Empty where the line does not say."""
    is_line: bool = False
    """Whether the message is itself a line with a prefix, wrapped by a collector."""


def fields_of(line: str) -> Fields | None:
    """Read a line of JSON or logfmt; None where it is neither, or damaged."""
    text = line.strip()
    if text.startswith("{") and text.endswith("}"):
        return _from_json(text)
    is_logfmt = "msg=" in text or "message=" in text or "event=" in text
    found = _LOGFMT.search(text) if is_logfmt else None
    return _from_logfmt(text, found["value"]) if found else None


def _from_json(text: str) -> Fields | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    wrapped = content.get("log")
    if isinstance(wrapped, str) and not _text(content, _MESSAGE):
        return Fields(wrapped.rstrip("\r\n"), "", is_line=True)
    levels = [content, *(each for key in _NESTED if isinstance(each := content.get(key), dict))]
    message = next((found for level in levels if (found := _text(level, _MESSAGE))), "")
    logger = next((found for level in levels if (found := _text(level, _LOGGER))), "")
    return Fields(message, logger)


def _text(content: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (content.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _from_logfmt(text: str, value: str) -> Fields | None:
    named = _LOGFMT_LOGGER.search(text)
    try:
        message = literal_eval(value)
    except (ValueError, SyntaxError):
        return None
    return Fields(str(message), named["name"] if named else "")
