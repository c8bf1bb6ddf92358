"""Versions of installed packages, for whoever reads a report later."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

__all__ = ["DISTRIBUTION", "installed_version", "installed_versions"]

DISTRIBUTION = "fastapi-sqlalchemy-harness"
_UNDER_TEST = ("sqlalchemy", "fastapi", "starlette", "asyncpg", "uvicorn", "locust")


def installed_version(package: str) -> str:
    """``"not installed"`` if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def installed_versions(packages: Iterable[str] = _UNDER_TEST) -> tuple[tuple[str, str], ...]:
    """Names and versions; default: what decides the figures of a measurement."""
    return tuple((name, installed_version(name)) for name in packages)
