"""Which routes of an application stream: pure, from its OpenAPI document. Free of Locust.

The document does not say so. What it says is the media type, and JSON is what is answered whole;
FastAPI names none for a bare ``StreamingResponse``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.load.routes import Plan, plan_of

__all__ = ["answers_json", "streams_of"]

_WHOLE = ("application/json", "+json", "text/html")


def streams_of(document: Mapping[str, Any]) -> Plan:
    """The routes that answer GET without a value, and with anything but JSON or a page.

    Args:
        document: As the application serves it at ``/openapi.json``.
    """
    return tuple(
        (name, path) for name, path in plan_of(document) if not answers_json(name, document)
    )


def answers_json(name: str, document: Mapping[str, Any]) -> bool:
    """Whether a route answers whole; one that the document does not know may not.

    Args:
        name: ``GET /users/{user_id}``.
        document: See `streams_of`.
    """
    method, _, path = name.partition(" ")
    operation = document.get("paths", {}).get(path, {}).get(method.lower())
    if operation is None:
        return False
    responses = operation.get("responses", {})
    good = [told for status, told in responses.items() if status.startswith("2")]
    types = [kind for told in good for kind in told.get("content", {})]
    return bool(types) and all(kind.endswith(_WHOLE) for kind in types)
