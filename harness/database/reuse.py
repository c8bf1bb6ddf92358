"""A container that stays for the next session, because the user chose so.

The choice is that of testcontainers in Java and Go: ``TESTCONTAINERS_REUSE_ENABLE=true`` in
the environment, or ``testcontainers.reuse.enable=true`` in ``~/.testcontainers.properties``. The
Python library does not know it, so what it means is done here. Sessions make databases of their own
and drop them: they may share such a server, one after the other and at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from docker.errors import NotFound
from filelock import FileLock
from platformdirs import user_cache_path
from testcontainers.core.config import testcontainers_config

from harness.database.cluster import APPLICATION

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

__all__ = ["is_reuse_chosen", "kept_container", "kept_name", "making_kept_container"]

VARIABLE = "TESTCONTAINERS_REUSE_ENABLE"
PROPERTY = "testcontainers.reuse.enable"
YES = frozenset({"1", "true", "yes"})


def is_reuse_chosen() -> bool:
    """Whether containers are to stay."""
    chosen = os.environ.get(VARIABLE) or testcontainers_config.tc_properties.get(PROPERTY, "")
    return chosen.lower() in YES


def kept_name(image: Image, settings: Mapping[str, str]) -> str:
    """The same for the same image and settings of the same user, and for nothing else."""
    what = "\0".join([str(os.geteuid()), str(image.id), *sorted(map("=".join, settings.items()))])
    return f"harness-pg-kept-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def kept_container(client: DockerClient, name: str) -> Container | None:
    """The container if it runs; one that has stopped has lost its data, and is removed."""
    try:
        container = client.containers.get(name)
    except NotFound:
        return None
    if container.status == "running":
        return container
    container.remove(force=True, v=True)
    return None


@contextmanager
def making_kept_container() -> Iterator[None]:
    """One session at a time looks for it and makes it, and Ryuk is not told of it."""
    before = testcontainers_config.ryuk_disabled
    folder = user_cache_path(APPLICATION)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / "kept-container.lock"):
        testcontainers_config.ryuk_disabled = True
        try:
            yield
        finally:
            testcontainers_config.ryuk_disabled = before
