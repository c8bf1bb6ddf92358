"""The GET operations of an application with their parameters, not yet filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from harness.checkup.operations import documented_value, resolved, schemas_of

__all__ = ["Parameter", "ScannedOperation", "operations_in", "scanned_operations"]

_SIZES = {
    "limit", "size", "per_page", "page_size", "perpage", "pagesize", "first", "take", "top",
    "count", "max_results", "num", "rows", "n", "items_per_page", "length",
}  # fmt: skip
_STARTS = {"offset", "skip", "start", "from"}
_PAGES = {"page", "page_number", "page_num", "pagenumber", "pageno", "p", "current"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str
    """``path``, ``query``, ``header`` or ``cookie``."""
    is_required: bool
    shape: Mapping[str, Any]
    """Its JSON Schema; of several that are possible, the first that is not null."""
    documented: str | None
    """A value by example, default or type."""

    @property
    def is_size(self) -> bool:
        """Whether it says how many items a page has."""
        return self.place == "query" and self._name in _SIZES and self._is_integer

    @property
    def is_start(self) -> bool:
        """Whether it says how many items to leave out."""
        return self.place == "query" and self._name in _STARTS and self._is_integer

    @property
    def is_page(self) -> bool:
        """Whether it is the number of a page."""
        return self.place == "query" and self._name in _PAGES and self._is_integer

    def bounded(self, number: int) -> int:
        """The number, or the nearest that the schema takes."""
        low = self.shape.get("minimum", self.shape.get("exclusiveMinimum", number - 1) + 1)
        high = self.shape.get("maximum", self.shape.get("exclusiveMaximum", number + 1) - 1)
        return int(min(max(number, low), high))

    @property
    def _name(self) -> str:
        return self.name.lower().replace("-", "_").strip("_")

    @property
    def _is_integer(self) -> bool:
        return self.shape.get("type") == "integer"


@dataclass(frozen=True, slots=True)
class ScannedOperation:
    """A GET operation of the OpenAPI schema."""

    route: str
    """Its path template, with the prefix of mounts."""
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """``GET /users/{user_id}``."""
        return f"GET {self.route}"

    @property
    def required(self) -> tuple[Parameter, ...]:
        """What has to have a value."""
        return tuple(item for item in self.parameters if item.is_required)

    @property
    def is_paged(self) -> bool:
        """Whether a second page can be asked for."""
        return any(item.is_size for item in self.parameters) and any(
            item.is_start or item.is_page for item in self.parameters
        )

    def path(self, values: Mapping[str, str], *, size: int, page: int = 0) -> str:
        """A concrete path.

        Args:
            values: Of the required parameters.
            size: Items to ask for, where the operation takes that.
            page: 0 for the first, which is asked for by saying nothing.
        """
        path, query = self.route, {}
        for item in self.parameters:
            if item.is_size:
                query[item.name] = str(item.bounded(size))
            elif page and item.is_start:
                query[item.name] = str(item.bounded(size * page))
            elif page and item.is_page:
                query[item.name] = str(item.bounded(int(item.shape.get("default", 1)) + page))
            elif item.name in values and item.place == "path":
                path = path.replace("{" + item.name + "}", quote(values[item.name], safe=""))
            elif item.name in values:
                query[item.name] = values[item.name]
        return path + ("?" + urlencode(query) if query else "")


def scanned_operations(app: Any) -> list[ScannedOperation]:  # noqa: ANN401 - any ASGI application
    """All GET operations of an application and of those mounted on it, by route."""
    found = [each for prefix, schema in schemas_of(app) for each in operations_in(schema, prefix)]
    return sorted(found, key=lambda operation: operation.route)


def operations_in(schema: Mapping[str, Any], prefix: str = "") -> Iterator[ScannedOperation]:
    """The GET operations of one OpenAPI document.

    Args:
        schema: The document.
        prefix: Where its application is mounted.
    """
    for route, item in schema.get("paths", {}).items():
        if "get" in item:
            yield ScannedOperation(prefix + route, tuple(_parameters(item, schema)))


def _parameters(item: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Parameter]:
    for described in (*item.get("parameters", ()), *item["get"].get("parameters", ())):
        found = resolved(described, schema)
        yield Parameter(
            name=found["name"],
            place=found["in"],
            is_required=bool(found.get("required")),
            shape=_shape(resolved(found.get("schema", {}), schema), schema),
            documented=documented_value(found, schema),
        )


def _shape(shape: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of ``int | None``, the ``int``, with the default of the whole."""
    for choice in (*shape.get("anyOf", ()), *shape.get("oneOf", ())):
        inner = resolved(choice, schema)
        if inner.get("type") != "null":
            return {**shape, **inner}
    return shape
