"""Dependency overrides that are always undone, and that refuse what no route depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.asgi.app import applications, require_dependency

__all__ = ["Overrides", "overriding"]

Overrides = Callable[[Mapping[Callable[..., Any], Callable[..., Any]]], None]


@contextmanager
def overriding(app: Any) -> Iterator[Overrides]:  # noqa: ANN401 - any application with overrides
    """Put overrides in place inside the block; afterwards the application has those it had.

    A mounted application looks into its own overrides only, so each gets all of them.

    Yields:
        A function that takes a mapping of dependency to replacement. It raises
        `ConfigurationError` for a dependency that no route has, with the nearest name.
    """
    owners = [part for part in applications(app) if hasattr(part, "dependency_overrides")]
    # Both the mapping and what is in it: a test may have put another one in its place.
    before = [(owner.dependency_overrides, {**owner.dependency_overrides}) for owner in owners]

    def override(replacements: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
        for dependency in replacements:
            require_dependency(app, dependency, what="overrides")
        for owner in owners:
            owner.dependency_overrides.update(replacements)

    try:
        yield override
    finally:
        for owner, (overrides, entries) in zip(owners, before, strict=True):
            overrides.clear()
            overrides.update(entries)
            owner.dependency_overrides = overrides
