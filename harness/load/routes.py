"""What there is to request, of an application that nobody made a plan for: what OpenAPI tells.

Routes that answer GET without a value that only its author knows. Pure, and free of Locust.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Plan", "plan_of", "route_of", "without_method"]

Plan = tuple[tuple[str, str], ...]
"""Routes and the paths to request them by: ``("GET /users", "/users")``."""


def without_method(route: str) -> str:
    """``/users`` for ``GET /users``: Locust's tables have a column of their own for methods."""
    method, _, path = route.partition(" ")
    return path if method.isupper() and path.startswith("/") else route


def route_of(method: str, name: str) -> str:
    """The route as probe and reports call it, of a request as Locust's tables do."""
    return f"{method} {name}" if name.startswith("/") else name


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The routes of an OpenAPI document that need no value.

    Args:
        document: As the application serves it at ``/openapi.json``.
    """
    return tuple(
        (f"GET {path}", path)
        for path, operations in document.get("paths", {}).items()
        if "get" in operations and "{" not in path and not any(_required(operations))
    )


def _required(operations: Mapping[str, Any]) -> Iterator[bool]:
    shared = operations.get("parameters", [])
    for parameter in [*shared, *operations["get"].get("parameters", [])]:
        yield bool(parameter.get("required"))
