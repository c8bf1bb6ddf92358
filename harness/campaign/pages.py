"""What to request so that answers hold more and more: the same routes, with pages of a given size.

Which parameter is a page's size is told by the OpenAPI document; a route without one is requested
as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from harness.errors import MisuseError
from harness.load.routes import Plan
from harness.load.sending import NO_HEADERS, document_behind
from harness.scan.operations import Parameter, operations_in

__all__ = ["PagedPlan", "paged_plan", "paged_plan_behind"]


@dataclass(frozen=True, slots=True)
class PagedPlan:
    """Routes, and which parameter of each limits a page."""

    plan: Plan
    sizes: Mapping[str, Parameter]
    """By route."""

    @property
    def paged(self) -> int:
        """How many of its routes have pages."""
        return len({name for name, _ in self.plan} & self.sizes.keys())

    def of_size(self, size: int) -> Plan:
        """The plan with pages of a size, or the nearest that a route allows."""
        return tuple((name, self._path(name, path, size)) for name, path in self.plan)

    def _path(self, name: str, path: str, size: int) -> str:
        parameter = self.sizes.get(name)
        if parameter is None:
            return path
        parts = urlsplit(path)
        query = [pair for pair in parse_qsl(parts.query) if pair[0] != parameter.name]
        query.append((parameter.name, str(parameter.bounded(size))))
        return urlunsplit(parts._replace(query=urlencode(query)))


def paged_plan(plan: Plan, document: Mapping[str, Any]) -> PagedPlan:
    """A plan with the page sizes of an OpenAPI document.

    Args:
        plan: Routes and paths.
        document: As the application serves it at ``/openapi.json``.
    """
    found = (
        (operation.name, parameter)
        for operation in operations_in(document)
        for parameter in operation.parameters
        if parameter.is_size
    )
    # The last one given wins in a dictionary; where there are several, the first is meant.
    return PagedPlan(plan, dict(reversed(list(found))))


def paged_plan_behind(url: str, plan: Plan, headers: Mapping[str, str] = NO_HEADERS) -> PagedPlan:
    """A plan with the page sizes that an application tells; without any, where it tells nothing.

    Args:
        url: Where it answers.
        plan: Routes and paths.
        headers: To send along.
    """
    try:
        return paged_plan(plan, document_behind(url, headers))
    except MisuseError:
        return PagedPlan(plan, {})
