"""A PostgreSQL in a container: started for us, gone with us, whatever the engine's own cleaners do.

For what the embedded server lacks: extensions, another major version, the very image of production.
testcontainers finds the engine and starts the container, as the user has configured it; the session
folder and its reaper end it with its last owner. Ryuk is left as configured and not relied upon: it
is an image of its own, which an offline machine does not have.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from testcontainers.core.container import DockerContainer

from harness.database.account import Account
from harness.database.admin import server_version
from harness.database.cluster import SUPERUSER, initdb_options
from harness.database.engine import engine_at_work, engine_client, image_on_engine
from harness.database.launcher import DISPOSABLE
from harness.database.lease import Lease
from harness.database.orphans import sweep_orphans
from harness.database.owned import OwnedServer
from harness.database.ownership import hire_reaper
from harness.database.reuse import (
    is_reuse_chosen,
    kept_container,
    kept_name,
    making_kept_container,
)
from harness.database.server import ServerAddress
from harness.database.session import SessionFolder, make_session_folder
from harness.errors import ServerStartError, UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.models.containers import Container
    from docker.models.images import Image

    from harness.database.reaper import Farewell

__all__ = ["DEFAULT_IMAGE", "ContainerServer"]

DEFAULT_IMAGE = "postgres:18-alpine"
"""The major version of the embedded server, so that plans are the same on both, in the official
image's small variant, which has all of PostgreSQL's own extensions."""
PORT = 5432
PASSWORD_VARIABLE = "POSTGRES_PASSWORD"  # noqa: S105 - its name
MEMORY = "/harness"
"""Where the container has its tmpfs. Not the image's own data folder: that is a volume, and lies
elsewhere since PostgreSQL 18."""
REMOVAL = Path(__file__).with_name("container_removal.py")
START_SECONDS = 60.0
POLL_SECONDS = 0.05
LOG_LINES = 5
ENDED = frozenset({"exited", "dead", "removing"})
PRELOAD_PATH = "/docker-entrypoint-initdb.d/harness.sql"
# A library that is preloaded and not there keeps a server from starting, so the server is asked.
PRELOAD = rb"""
SELECT 'ALTER SYSTEM SET shared_preload_libraries = ' || string_agg(quote_ident(trim(name)), ', ')
FROM (
    SELECT unnest(string_to_array(current_setting('shared_preload_libraries'), ','))
    UNION SELECT name FROM pg_available_extensions WHERE name = 'pg_stat_statements'
) AS libraries (name) HAVING count(*) > 0
\gexec
"""
PASSED_ON = ("DOCKER_", "TESTCONTAINERS_", "HOME", "PATH", "PYTHONPATH", "SSH_AUTH_SOCK")
"""Variables, by their beginning, that lead to the engine."""


class ContainerServer(OwnedServer):
    """A PostgreSQL of our own, in a container."""

    @classmethod
    def start(
        cls,
        *,
        image: str = DEFAULT_IMAGE,
        max_connections: int = 200,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """Start a container with its data in memory.

        Args:
            image: An image that understands what the official one does.
            max_connections: How many connections the server allows at once.
            settings: Server parameters, on top of the ones that make a disposable server fast.

        Raises:
            NoPostgresError: There is no engine that we may use, or the image cannot be had.
            ServerStartError: The server does not start; the message has the end of its log.
        """
        wanted = {**DISPOSABLE, "max_connections": str(max_connections), **settings}
        session = make_session_folder(Account())
        hold, line = hire_reaper(session, also_remove=[])
        line.hang_up()
        try:
            sweep_orphans(session.path.parent)
            address, version = _provide(session, image, wanted)
        except BaseException:
            hold.release()
            raise
        origin = f"PostgreSQL {version}, container of {image}"
        return cls(Lease(str(session.path), address, origin), hold)


def _provide(
    session: SessionFolder, image: str, settings: Mapping[str, str]
) -> tuple[ServerAddress, str]:
    with engine_client() as client, engine_at_work(image):
        container = DockerContainer(image)
        with closing(container.get_docker_client().client):
            # testcontainers pulls as well, but what goes wrong then is told as it is.
            found = image_on_engine(client, container.image)
            _describe(container, _major(found), settings)
            if not is_reuse_chosen():
                _write_farewell(session)
                return _started(container, session.path.name)
            name = kept_name(found, settings)
            with making_kept_container():
                kept = kept_container(client, name)
                return _started(container, name) if kept is None else _joined(container, kept)


def _started(container: DockerContainer, name: str) -> tuple[ServerAddress, str]:
    password = secrets.token_urlsafe(32)
    container.with_name(name).with_env(PASSWORD_VARIABLE, password)
    container.start()
    return _when_ready(container, password)


def _joined(container: DockerContainer, kept: Container) -> tuple[ServerAddress, str]:
    """Where a container listens that an earlier session started."""
    client, container_id = container.get_docker_client(), str(kept.id)
    environment = dict(item.partition("=")[::2] for item in kept.attrs["Config"]["Env"])
    mode = client.get_connection_mode()
    port = int(client.port(container_id, PORT)) if mode.use_mapped_port else PORT
    by_network = {"bridge_ip": client.bridge_ip, "gateway_ip": client.gateway_ip}.get(mode.value)
    host = by_network(container_id) if by_network else client.host()
    address = ServerAddress(host, port, SUPERUSER, environment[PASSWORD_VARIABLE])
    return address, server_version(address)


def _describe(container: DockerContainer, major: int | None, settings: Mapping[str, str]) -> None:
    container.with_exposed_ports(PORT).with_tmpfs_mount(MEMORY)
    container.with_envs(
        POSTGRES_USER=SUPERUSER,
        POSTGRES_DB=SUPERUSER,
        POSTGRES_INITDB_ARGS=" ".join(initdb_options(major)),
        PGDATA=f"{MEMORY}/data",
    )
    container.with_command([part for item in settings.items() for part in ("-c", "=".join(item))])
    container.with_copy_into_container(PRELOAD, PRELOAD_PATH)


def _major(image: Image) -> int | None:
    """The major version as the official image and its descendants name it, before anything runs."""
    for variable in image.attrs["Config"].get("Env") or ():
        name, _, value = variable.partition("=")
        if name == "PG_MAJOR" and value.isdecimal():
            return int(value)
    return None


def _write_farewell(session: SessionFolder) -> None:
    """Before there is a container: from its first moment on somebody else would remove it."""
    environment = {key: value for key, value in os.environ.items() if key.startswith(PASSED_ON)}
    # -P: the folder of the script has modules that are named like ones of the standard library's.
    command = [sys.executable, "-P", str(REMOVAL), session.path.name]
    farewell: Farewell = {"command": command, "environment": environment}
    session.farewell.touch(mode=0o600)
    session.farewell.write_text(json.dumps(farewell))


def _when_ready(container: DockerContainer, password: str) -> tuple[ServerAddress, str]:
    """Where the server listens and its version, once it answers from outside.

    testcontainers' own PostgresContainer asks once a second, and goes on for two minutes when the
    container has long ended.
    """
    deadline = time.monotonic() + START_SECONDS
    address = None
    while time.monotonic() < deadline:
        container.reload()
        if container.status in ENDED:
            raise _not_ready(container, "has ended")
        try:
            address = address or _address(container, password)
            return address, server_version(address)
        except UnreachableTargetError:
            time.sleep(POLL_SECONDS)
    raise _not_ready(container, f"did not answer within {START_SECONDS:.0f} s")


def _address(container: DockerContainer, password: str) -> ServerAddress:
    try:
        port = container.get_exposed_port(PORT)
    except (ConnectionError, TimeoutError) as error:
        raise UnreachableTargetError(str(error)) from error  # it ended a moment ago: we will see
    return ServerAddress(container.get_container_host_ip(), port, SUPERUSER, password)


def _not_ready(container: DockerContainer, what: str) -> ServerStartError:
    written = b"\n".join(container.get_logs()).decode(errors="replace").strip()
    log = "\n".join(written.splitlines()[-LOG_LINES:]) or "(it wrote nothing)"
    remedy = "Is `image` an image of PostgreSQL? Look at the settings you gave."
    return ServerStartError(f"The container of {container.image!r} {what}:\n{log}", remedy=remedy)
