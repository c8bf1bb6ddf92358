"""What the scope of a request tells of its route.

A module of its own because one name in it is FastAPI's own and not documented: without it a route
is known by the part of the template that its router gave it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, MutableMapping
from types import CodeType
from typing import Any

from harness.findings import SourceLine

__all__ = ["Scope", "endpoint_line", "found_by_router", "named", "template_of"]

Scope = MutableMapping[str, Any]

_NAMES = ("type", "method", "path", "root_path", "app_root_path", "route", "endpoint")


def named(scope: Scope) -> Scope:
    """What names a request, without the application's state and the server's."""
    remains: Scope = {name: scope[name] for name in _NAMES if name in scope}
    if "fastapi" in scope:
        included = scope["fastapi"].get("effective_route_context")
        remains["fastapi"] = {"effective_route_context": included}
    return remains


def found_by_router(scope: Scope) -> tuple[object, object]:
    """The route, and how it is included: both live as long as the application.

    Newer FastAPI includes routers without copying their routes: the route then knows only its own
    part of the template, and this context of the scope knows the whole.
    """
    fastapi = scope.get("fastapi")
    return scope.get("route"), fastapi.get("effective_route_context") if fastapi else None


def template_of(scope: Scope) -> str | None:
    """The template of the route that was found; None before, and where none fits."""
    route, included = found_by_router(scope)
    if included is not None and getattr(included, "original_route", None) is route:
        route = included
    path: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    return path


def endpoint_line(
    endpoint: object, describe: Callable[[CodeType], SourceLine]
) -> SourceLine | None:
    """Where an endpoint is defined; None where it is no function."""
    function = inspect.unwrap(endpoint) if callable(endpoint) else None
    code = getattr(function, "__code__", None)
    return describe(code) if code is not None else None
