"""Which GET operations the application documents, and a path to request each by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

__all__ = ["Operation", "documented_value", "get_operations", "resolved", "schemas_of"]

_EXAMPLES: Mapping[str, str] = {"integer": "1", "number": "1", "boolean": "true", "string": "1"}


@dataclass(frozen=True, slots=True)
class Operation:
    """A GET operation of the OpenAPI schema."""

    route: str
    """Its path template, with the prefix of mounts."""
    path: str | None
    """A concrete path; None if a required parameter has no value that can be guessed."""
    guessed: tuple[str, ...]
    """Parameters whose values were made up, e.g. ``user_id=1``."""
    unfilled: tuple[str, ...] = ()
    """Required parameters without a value."""

    @property
    def name(self) -> str:
        """``GET /users/{user_id}``."""
        return f"GET {self.route}"


def get_operations(app: Any) -> list[Operation]:  # noqa: ANN401 - any ASGI application
    """All GET operations of an application and of the applications mounted on it, by route."""
    found = [
        _operation(prefix + route, prefix, route, path_item, schema)
        for prefix, schema in schemas_of(app)
        for route, path_item in schema.get("paths", {}).items()
        if "get" in path_item
    ]
    return sorted(found, key=lambda operation: operation.route)


def schemas_of(
    app: Any,  # noqa: ANN401 - any ASGI application
    prefix: str = "",
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The OpenAPI documents of an application and of what is mounted on it, with their prefixes."""
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app  # under the middleware around it
    if callable(getattr(app, "openapi", None)):
        yield prefix, app.openapi()
    for route in getattr(app, "routes", ()) or ():
        inner = getattr(route, "app", None)
        if inner is not None:
            yield from schemas_of(inner, prefix + getattr(route, "path", ""))


def _operation(
    name: str, prefix: str, route: str, path_item: Mapping[str, Any], schema: Mapping[str, Any]
) -> Operation:
    parameters = [
        resolved(parameter, schema)
        for parameter in (*path_item.get("parameters", ()), *path_item["get"].get("parameters", ()))
    ]
    required = [parameter for parameter in parameters if parameter.get("required")]
    values = {parameter["name"]: documented_value(parameter, schema) for parameter in required}
    unfilled = tuple(key for key, value in values.items() if value is None)
    path = route
    query = []
    for parameter in required:
        value = values[parameter["name"]]
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(value or "", safe=""))
        elif parameter["in"] == "query" and value is not None:
            query.append(urlencode({parameter["name"]: value}))
    return Operation(
        route=name,
        path=None if unfilled else prefix + path + ("?" + "&".join(query) if query else ""),
        guessed=tuple(f"{key}={value}" for key, value in values.items() if value is not None),
        unfilled=unfilled,
    )


def resolved(item: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference within the document leads to."""
    reference = item.get("$ref")
    if reference is None:
        return item
    found: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found, schema)


def documented_value(parameter: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """A value by example, default or type; None where it cannot be guessed."""
    if parameter["in"] not in {"path", "query"}:
        return None  # a header or cookie: mostly a credential
    shape = resolved(parameter.get("schema", {}), schema)
    for source in (parameter, shape):
        for key in ("example", "default", "const"):
            if key in source:
                return str(source[key])
    examples = shape.get("examples") or shape.get("enum")
    if examples:
        return str(examples[0])
    if shape.get("format") or shape.get("pattern"):
        return None
    return _EXAMPLES.get(shape.get("type", ""))
