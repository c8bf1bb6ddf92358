"""Servers that count statements, for tests of what reads their counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from types import MappingProxyType

import pytest

from harness.database.container import DEFAULT_IMAGE, ContainerServer
from harness.database.engine import engine_client, image_on_engine
from harness.database.server import PostgresServer
from harness.database.system import SystemServer
from harness.errors import NoPostgresError

__all__ = ["PLACES", "started"]

IMAGE = os.environ.get("CONTAINER_TEST_IMAGE", DEFAULT_IMAGE)
PLACES = [
    pytest.param("container", marks=pytest.mark.group("containers")),
    pytest.param("system", marks=pytest.mark.group("system")),
]
"""The places that have `pg_stat_statements`."""


@contextmanager
def started(
    place: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[PostgresServer]:
    """A server from the place; skips where the machine has none."""
    try:
        server = _start(place, settings)
    except NoPostgresError as error:
        pytest.skip(error.what)
    with closing(server):
        yield server


def _start(place: str, settings: Mapping[str, str]) -> PostgresServer:
    if place == "system":
        return SystemServer.start(settings=settings)
    with engine_client() as client:
        image_on_engine(client, IMAGE)
    return ContainerServer.start(image=IMAGE, settings=settings)
